"""Letters that wait: each is made as a PDF for whoever posts it, and then counts as sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy import select

from database.context import as_persons, as_propagation
from notifications import status
from notifications.mails import render_mail
from notifications.may_go import letter_held
from notifications.send import put_off
from notifications.tables import ContactPoint, Message
from notifications.texting import Texting
from notifications.texts import as_kind
from patient_portal.papers.message_letter import Addressed, message_letter
from patient_portal.papers.typesetting import pdf_of

log = structlog.get_logger()
MOST = 500


@dataclass(frozen=True)
class WaitingLetter:
    """A letter to print: whose, and since when it waits."""

    id: UUID
    person: UUID
    topic: str
    since: datetime


def waiting_letters(texting: Texting, now: datetime) -> list[WaitingLetter]:
    """Those not printed yet that may go now, oldest first, a few hundred at most.

    Asked as for a text at the last moment: what is stale, not wanted any more, or to an address that was taken back
    ends here.
    """
    with texting.database.begin(as_propagation()) as session:
        rows = session.execute(
            select(Message.id, Message.person_id, Message.topic, Message.send_after)
            .where(Message.state == status.INTENDED, Message.channel == "letter", Message.send_after <= now)
            .order_by(Message.send_after)
            .limit(MOST)
        ).all()
    return [one for one in (WaitingLetter(*row) for row in rows) if _may_go(texting, one, now)]


def _may_go(texting: Texting, one: WaitingLetter, now: datetime) -> bool:
    with texting.database.begin(as_persons(one.person)) as session:
        message = session.get_one(Message, one.id, with_for_update=True)
        if message.state != status.INTENDED:
            return False
        held = letter_held(session, message, now)
        if held is not None:
            put_off(session, texting, message, held, now)
        return held is None


def letter_pdf(texting: Texting, person: UUID, letter: UUID, now: datetime) -> bytes:
    """One letter as PDF/UA-1, to the address the person gave, else with lines to write it on.

    NoResultFound for a letter that is not this person's.
    """
    with texting.database.begin(as_persons(person)) as session:
        message = session.get_one(Message, letter)
        contact = session.get(ContactPoint, message.contact_point_id) if message.contact_point_id else None
        lines = tuple(texting.open_number(contact).split("\n")) if contact else ()
        kind, language, more = as_kind(message.kind), message.language, len(message.covers)
    mail = render_mail(
        kind, language, texting.programme, message=letter, to="", at=now, unsubscribe=None, more=more
    )  # fmt: skip
    return pdf_of(message_letter(mail, Addressed(lines), texting.programme.name, now, texting.programme.contact))


def print_letters(texting: Texting, folder: Path, now: datetime) -> int:
    """Write every waiting letter into `folder` for its owner only, then mark it sent; how many.

    Cut off in between, a letter is written again under the same name, never left out.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    letters = waiting_letters(texting, now)
    for one in letters:
        path = folder / f"{one.id}.pdf"
        path.touch(mode=0o600)
        path.write_bytes(letter_pdf(texting, one.person, one.id, now))
        mark_posted(texting, one.person, one.id, now)
    return len(letters)


def mark_posted(texting: Texting, person: UUID, letter: UUID, now: datetime) -> None:
    """It was printed and goes out by post."""
    with texting.database.begin(as_persons(person)) as session:
        message = session.get_one(Message, letter, with_for_update=True)
        if message.channel == "letter" and message.state == status.INTENDED:
            message.state, message.state_at, message.sent_at = "sent", now, now
            log.info("letter_printed", message_id=str(letter))
