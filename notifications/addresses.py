"""A person's mail address and postal address: given, the mail address proven by a code, and ended by a link in a mail.

An address is proven as a number is (`contact.confirm_number`); the answer says nothing of who else has it (abuse 15).
"""

from __future__ import annotations

import secrets
from datetime import datetime
from uuid import UUID, uuid4

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from database.context import as_persons, knowing, widen
from notifications.code_counts import count_code
from notifications.codes import ENTROPY_BYTES, LIFETIME, new_code
from notifications.contact import Agreement, proof_of, put_aside
from notifications.intend import intend
from notifications.mail import is_mail_address
from notifications.tables import ContactPoint
from notifications.texting import Texting, record_wish, texts_wanted
from notifications.topics import Way
from vocabulary.errors import Invalid

log = structlog.get_logger()
LONGEST_LINE, MOST_LINES = 60, 6


def add_mail(
    texting: Texting, person: UUID, typed: str, *, language: str, account: UUID | None, address: str, now: datetime
) -> UUID:
    """Take a mail address down and send a code to it; the id of the contact point.

    Invalid("mail-unreadable") when it is not one plain address, TooMany when codes were asked for too often.
    """
    mail = typed.strip()
    if not is_mail_address(mail):
        raise Invalid("mail-unreadable")
    code = new_code(secrets.token_bytes(ENTROPY_BYTES))
    with texting.database.begin(as_persons(person)) as session:
        count_code(session, texting, mail.lower(), account=str(account or person), address=address, now=now)
        contact = _contact_for(session, texting, person, "email", mail, mail.lower(), now)
        contact.language = language
        contact.code_hash = texting.code_hash(contact.id, code)
        contact.code_expires_at = now + LIFETIME
        contact.code_tries = 0
        session.flush()
        intend(
            session, texting, person, "code", f"code:{contact.id}:{uuid4()}", now,
            contact=contact, way="email", code=code, expires_at=now + LIFETIME,
        )  # fmt: skip
        log.info("address_added", contact_id=str(contact.id))
        return contact.id


def keep_postal(texting: Texting, person: UUID, typed: str, agreement: Agreement, now: datetime) -> UUID:
    """Keep the address that letters go to, in place of an older one; Invalid("postal") when it is not an address."""
    lines = [line.strip() for line in typed.replace("\r", "").split("\n") if line.strip()]
    fits = 2 <= len(lines) <= MOST_LINES and all(len(line) <= LONGEST_LINE and line.isprintable() for line in lines)
    if not fits:
        raise Invalid("postal")
    postal = "\n".join(lines)
    with texting.database.begin(as_persons(person)) as session:
        contact = _contact_for(session, texting, person, "letter", postal, " ".join(lines).casefold(), now)
        put_aside(session, person, "letter", kept=contact.id)
        contact.state, contact.confirmed_at, contact.language = "confirmed", now, agreement.language
        session.flush()
        texting.note(session, person, "address.confirmed", "web", now)
        record_wish(session, texting, contact, "yes", "web", proof_of(postal, agreement, now).sealed_form(), now)
        return contact.id


def end_by_link(texting: Texting, token: str, now: datetime) -> bool:
    """Send no more mail to the address whose mail held this link; True when it was ours, also when ended before.

    Neither a sign-in nor a code is asked for: whoever can read the mail may end it, and nothing else (RFC 8058).
    """
    contact_id = texting.read_unsubscribe(token)
    if contact_id is None:
        return False
    with texting.database.begin(knowing(contact_id.bytes)) as session:
        found = session.scalars(select(ContactPoint).where(ContactPoint.id == contact_id)).first()
        if found is None:
            return False
        widen(session, as_persons(found.person_id))
        contact = session.get_one(ContactPoint, contact_id, with_for_update=True)
        if texts_wanted(session, contact.id):
            proof = f'{{"means": "mail-link", "at": "{now.isoformat()}"}}'
            record_wish(session, texting, contact, "no", "mail", proof.encode(), now)
            log.info("mail_ended", contact_id=str(contact.id))
        return True


def _contact_for(
    session: Session, texting: Texting, person: UUID, way: Way, value: str, known_as: str, now: datetime
) -> ContactPoint:
    """This person's row for this address, locked or new; one that was put aside or did not work starts again."""
    index = texting.address_index(f"{way}:{known_as}")
    contact = session.scalars(
        select(ContactPoint)
        .where(ContactPoint.person_id == person, ContactPoint.value_index == index)
        .with_for_update()
    ).first()
    if contact is None:
        new = uuid4()
        contact = ContactPoint(
            id=new, person_id=person, channel=way, value_index=index, value_sealed=texting.seal_value(new, value),
            state="unconfirmed", language="en", zone=None, code_tries=0, created_at=now,
        )  # fmt: skip
        session.add(contact)
        session.flush()
    if contact.state in ("invalid", "replaced"):
        contact.state = "unconfirmed"
    return contact
