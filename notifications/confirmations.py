"""Texts that follow from the ledger: a decision was recorded, by the person or for them; a store is late.

Called by a reader of the ledger with its own cursor, so every call may come again: the reference makes it single.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from database.context import as_persons
from notifications.intend import intend
from notifications.texting import Texting
from notifications.texts import Kind


def confirm_decision(
    texting: Texting, person: UUID, reference: str, *, by_someone_else: bool = False, now: datetime
) -> bool:
    """Text that there is something to see; True when a text is now waiting that was not before.

    `reference` is unique per decision (its id). `by_someone_else` is true when a care team acted for the person.
    """
    kind: Kind = "changed-for-you" if by_someone_else else "update"
    return _once(texting, person, kind, f"decision:{reference}", now)


def tell_of_delay(texting: Texting, person: UUID, reference: str, now: datetime) -> bool:
    """Text that a store has not confirmed in time; `reference` is unique per decision and store."""
    return _once(texting, person, "late", f"late:{reference}", now)


def _once(texting: Texting, person: UUID, kind: Kind, key: str, now: datetime) -> bool:
    with texting.database.begin(as_persons(person)) as session:
        return intend(session, texting, person, kind, key, now) is not None
