"""A text from a person: STOP, START and HELP take effect once, whatever is repeated (requirements SMS-03…05)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from database.context import knowing, widen
from notifications.channels.twilio_webhook import InboundText
from notifications.keywords import understand
from notifications.mail import is_mail_address
from notifications.numbers import read_number
from notifications.tables import ContactPoint, InboundMessage
from notifications.texting import Texting, record_wish, texts_wanted
from notifications.texts import Kind, render
from vocabulary.errors import Invalid

log = structlog.get_logger()


@dataclass(frozen=True)
class Reply:
    """What was meant, and the one text to answer with; None when we say nothing."""

    meaning: str
    text: str | None


# What is kept of a text beside its id: the meaning and the answer we chose, so that a repeat gets the same answer.
_ANSWERS: dict[str, Kind | None] = {
    "stop": "stopped",
    "stop-again": None,
    "start": "started",
    "start-unknown": "help",
    "help": "help",
    "other": None,
    "network-stop": None,
    "network-start": None,
    "network-help": None,
}


def receive_text(texting: Texting, inbound: InboundText, now: datetime) -> Reply:
    """Act on one signed inbound text. A data choice is never touched (X-02): a text moves contact consent only.

    A MessageSid acts once for ever; a repeat of it changes nothing and gets the answer of the first time, because
    the network repeats only when it did not hear us.
    """
    index = texting.number_index(_written(inbound.sender))
    understood = understand(inbound.body, inbound.opt_out_type)
    with texting.database.begin(knowing(index)) as session:
        contacts = list(
            session.scalars(
                select(ContactPoint)
                .where(ContactPoint.value_index == index)
                .order_by(ContactPoint.id)
                .with_for_update()
            )
        )
        kept = _kept_meaning(session, understood.meaning, understood.network_replied, contacts)
        added = session.execute(
            insert(InboundMessage)
            .values(sid=inbound.sid, value_index=index, meaning=kept, received_at=now)
            .on_conflict_do_nothing(index_elements=["sid"])
            .returning(InboundMessage.sid)
        ).scalar_one_or_none()
        if added is None:
            first = session.get(InboundMessage, inbound.sid)
            kept = first.meaning if first is not None else "other"
        else:
            # What follows is about these people, and is noted in their audit.
            widen(session, knowing(index, persons=tuple({contact.person_id for contact in contacts})))
            _take_effect(session, texting, understood.meaning, contacts, inbound, now)
            log.info("text_received", sid=inbound.sid, meaning=kept)
    answer = _ANSWERS.get(kept)
    language = next((contact.language for contact in contacts if contact.state == "confirmed"), "en")
    return Reply(understood.meaning, render(answer, language, texting.programme) if answer else None)


def stop_for(texting: Texting, typed: str, by: str, why: str, now: datetime) -> int:
    """Somebody told us, on the phone or at a desk, that nothing may come to this number or mail address any more
    (SMS-03, "any reasonable manner"): how many people had given it. `by` and `why` are kept with each no.
    """
    value = typed.strip()
    mail = is_mail_address(value)
    index = texting.address_index(f"email:{value.lower()}") if mail else texting.number_index(_written(value))
    proof = json.dumps({"means": "staff", "by": by, "why": why[:500], "at": now.isoformat()})
    with texting.database.begin(knowing(index)) as session:
        locked = select(ContactPoint).where(ContactPoint.value_index == index).order_by(ContactPoint.id)
        contacts = list(session.scalars(locked.with_for_update()))
        widen(session, knowing(index, persons=tuple({contact.person_id for contact in contacts})))
        for contact in contacts:
            record_wish(session, texting, contact, "no", "staff", proof.encode(), now)
    log.info("stopped_by_staff", count=len(contacts))
    return len(contacts)


def _written(sender: str) -> str:
    """The sender as we file numbers; whoever texts us, from anywhere, may say STOP."""
    try:
        return read_number(sender, countries=None, landlines=True).e164
    except Invalid:
        return sender.strip()


def _kept_meaning(session: Session, meaning: str, network_replied: bool, contacts: list[ContactPoint]) -> str:
    if network_replied:
        return f"network-{meaning}"
    if meaning == "stop" and contacts and not any(texts_wanted(session, contact.id) for contact in contacts):
        return "stop-again"
    if meaning == "start" and not any(contact.state == "confirmed" for contact in contacts):
        return "start-unknown"
    return meaning


def _take_effect(
    session: Session, texting: Texting, meaning: str, contacts: list[ContactPoint], inbound: InboundText, now: datetime
) -> None:
    """STOP holds for everyone who uses this number; START only where the number had been proven."""
    proof = json.dumps({"means": "text", "sid": inbound.sid, "words": inbound.body[:200], "at": now.isoformat()})
    for contact in contacts:
        if meaning == "stop":
            record_wish(session, texting, contact, "no", "text", proof.encode(), now)
        elif meaning == "start" and contact.state == "confirmed":
            record_wish(session, texting, contact, "yes", "text", proof.encode(), now)
