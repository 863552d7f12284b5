"""A number that waits for its code, as its owner's page needs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from database.context import as_persons
from notifications.tables import ContactPoint
from notifications.texting import Texting


@dataclass(frozen=True)
class PendingNumber:
    """`number` is E.164 and is shown to nobody; pages say its last two digits."""

    id: UUID
    number: str = field(repr=False)
    language: str
    zone: str | None

    @property
    def last_two(self) -> str:
        return self.number[-2:]


def pending_number(texting: Texting, person: UUID, contact_id: UUID | None) -> PendingNumber | None:
    """The number with this id, when it is this person's; None for any other."""
    if contact_id is None:
        return None
    with texting.database.begin(as_persons(person)) as session:
        contact = session.get(ContactPoint, contact_id)
        if contact is None or contact.person_id != person:
            return None
        return PendingNumber(contact.id, texting.open_number(contact), contact.language, contact.zone)
