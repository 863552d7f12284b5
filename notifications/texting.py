"""What every verb of this room is given: the database, the keys, and in whose name texts go out."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from hmac import compare_digest
from typing import Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from database.keyring import KeyRing
from database.unit_of_work import Database
from notifications.budget import Budget
from notifications.numbers import DEFAULT_COUNTRIES, PhoneNumber
from notifications.tables import ContactConsent, ContactPoint
from notifications.texts import Programme
from notifications.topics import Way

TEXTS = "texts"
"""The topic of contact consent that stands for everything by one contact point: STOP means all of it (SMS-04)."""

LINK_MAC = 16
"""Bytes of the mark under a link that ends mail: 2^128 guesses to end someone's mail."""


Event = Literal[
    "texts.on", "texts.off", "number.confirmed", "number.removed",
    "mails.on", "mails.off", "address.confirmed", "address.removed", "letters.on", "letters.off", "topics.changed",
]  # fmt: skip
_ON: dict[str, tuple[Event, Event]] = {
    "sms": ("texts.off", "texts.on"), "email": ("mails.off", "mails.on"), "letter": ("letters.off", "letters.on"),
}  # fmt: skip
Note = Callable[[Session, UUID, Event, str, datetime], None]
"""Called in the transaction of what happened, with the person, the event and the means (`web`, `text`, `network`)."""


Unreached = Callable[[Session, UUID, str, datetime], None]
"""Called when something must reach a person and only a letter is left, to an address that we do not know: with the
person and what it was about (the `reference` of `tell`). In the same transaction, and perhaps more than once."""


def ask_nobody(session: Session, person: UUID, reference: str, now: datetime) -> None:
    """For who knows nobody to ask."""


def note_nothing(session: Session, person: UUID, event: Event, means: str, now: datetime) -> None:
    """For who keeps no audit."""


@dataclass(frozen=True)
class Texting:
    """Made from settings. `note` writes what a person shall find in their audit; this room does not know how."""

    database: Database
    keys: KeyRing
    programme: Programme = field(default_factory=Programme)
    countries: frozenset[str] = DEFAULT_COUNTRIES
    budget: Budget = field(default_factory=Budget)
    note: Note = note_nothing
    unreached: Unreached = ask_nobody

    def number_index(self, e164: str) -> bytes:
        """The keyed index by which a number is found."""
        return self.keys.blind_index("phone", e164)

    def address_index(self, address: str) -> bytes:
        """The keyed index of a mail or postal address."""
        return self.keys.blind_index("address", address)

    def unsubscribe_token(self, contact: UUID) -> str:
        """What stands in the link at the foot of a mail: the contact point, and that we wrote it (RFC 8058)."""
        return urlsafe_b64encode(contact.bytes + self._link_mac(contact)).decode().rstrip("=")

    def read_unsubscribe(self, token: str) -> UUID | None:
        """The contact point of a link that we wrote; None for any other."""
        try:
            found = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (ValueError, UnicodeEncodeError):
            return None
        if len(found) != 16 + LINK_MAC:
            return None
        contact = UUID(bytes=found[:16])
        return contact if compare_digest(found[16:], self._link_mac(contact)) else None

    def _link_mac(self, contact: UUID) -> bytes:
        return self.keys.blind_index("unsubscribe", str(contact))[:LINK_MAC]

    def seal_number(self, contact: UUID, number: PhoneNumber) -> bytes:
        return self.seal_value(contact, number.e164)

    def seal_value(self, contact: UUID, value: str) -> bytes:
        return self.keys.seal(value.encode(), f"contact_point:value:{contact}")

    def open_number(self, contact: ContactPoint) -> str:
        return self.keys.open(contact.value_sealed, f"contact_point:value:{contact.id}").decode()

    def seal_body(self, message: UUID, body: str) -> bytes:
        return self.keys.seal(body.encode(), f"message:body:{message}")

    def open_body(self, message: UUID, sealed: bytes) -> str:
        return self.keys.open(sealed, f"message:body:{message}").decode()

    def seal_proof(self, contact: UUID, recorded_at: datetime, proof: bytes) -> bytes:
        return self.keys.seal(proof, proof_place(contact, recorded_at))

    def code_hash(self, contact: UUID, code: str) -> bytes:
        """The keyed hash under which a code is kept: without the ring, a million guesses tell nothing."""
        return self.keys.blind_index("contact-code", f"{contact}:{code}")


def proof_place(contact: UUID, recorded_at: datetime) -> str:
    return f"contact_consent:proof:{contact}:{recorded_at.timestamp():.6f}"


def texts_wanted(session: Session, contact: UUID) -> bool:
    """The newest yes or no for this number of this person; nobody is texted without a yes."""
    newest = session.scalar(
        select(ContactConsent.answer)
        .where(ContactConsent.contact_point_id == contact, ContactConsent.topic == TEXTS)
        .order_by(ContactConsent.id.desc())
        .limit(1)
    )
    return newest == "yes"


def confirmed_contact(session: Session, person: UUID, way: Way = "sms") -> ContactPoint | None:
    """The number (or mail address, or postal address) that a person has proven and still uses."""
    return session.scalars(
        select(ContactPoint)
        .where(ContactPoint.person_id == person, ContactPoint.state == "confirmed", ContactPoint.channel == way)
        .order_by(ContactPoint.confirmed_at.desc())
        .limit(1)
    ).first()


def record_wish(
    session: Session,
    texting: Texting,
    contact: ContactPoint,
    answer: str,
    means: str,
    proof: bytes,
    now: datetime,
    topic: str = TEXTS,
) -> None:
    """Add a yes or a no with its proof, and note it; earlier ones stay."""
    session.add(
        ContactConsent(
            contact_point_id=contact.id,
            person_id=contact.person_id,
            value_index=contact.value_index,
            topic=topic,
            answer=answer,
            means=means,
            proof_sealed=texting.seal_proof(contact.id, now, proof),
            recorded_at=now,
        )
    )
    session.flush()
    event: Event = _ON[contact.channel][answer == "yes"] if topic == TEXTS else "topics.changed"
    texting.note(session, contact.person_id, event, means, now)
