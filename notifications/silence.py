"""Quiet for a person who was reported dead: at once, by every way, and undone as easily (HIP-16)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from database.context import knowing
from notifications.numbers import read_number
from notifications.tables import ContactPoint, Silence
from notifications.texting import Texting
from vocabulary.errors import Invalid

_FALL_SILENT = text(
    "INSERT INTO silence (person_id, since) SELECT id, :now FROM person WHERE id = :person ON CONFLICT DO NOTHING"
)


def fall_silent(session: Session, person: UUID, now: datetime) -> None:
    """From now on nothing goes to this person; what they agreed to stays on record as it is.

    An id that is nobody's changes nothing and takes as long: whoever reports a death learns nothing from it.
    """
    session.execute(_FALL_SILENT, {"person": person, "now": now})


def speak_again(session: Session, person: UUID) -> None:
    """It was a mistake: messages come again as the person had chosen them."""
    session.execute(delete(Silence).where(Silence.person_id == person))


def is_silent(session: Session, person: UUID) -> bool:
    """Whether nothing may be sent to this person."""
    return session.scalar(select(Silence.person_id).where(Silence.person_id == person)) is not None


def persons_at(texting: Texting, typed: str) -> tuple[UUID, ...]:
    """Whose proven number this is; nobody for what is no number. Said to no one but the caller."""
    try:
        number = read_number(typed, countries=texting.countries)
    except Invalid:
        return ()
    index = texting.number_index(number.e164)
    with texting.database.begin(knowing(index)) as session:
        found = select(ContactPoint.person_id).where(
            ContactPoint.value_index == index, ContactPoint.state == "confirmed"
        )
        return tuple(session.scalars(found.distinct()))
