"""Who could be in a file for a request at this moment: donors by the ledger, people by their links.

For the session of `as_release()`. Sets, not loops: the work grows with the donors of one effort.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.decision import DataCategory
from consent.donors import Donor, donors, linked_groups
from consent.efforts import Effort

_WITH_RECORD = text(
    "SELECT p FROM unnest(CAST(:persons AS uuid[])) AS p"
    " WHERE EXISTS (SELECT FROM record_entry e WHERE e.person_id = p)"
)
Group = frozenset[UUID]


def cohort(
    session: Session, effort: Effort, parts: Collection[DataCategory], now: datetime
) -> dict[UUID, tuple[Donor, Group]]:
    """Each donor whose yes lets some of `parts` through, with everyone who is the same human being (X-08)."""
    giving = {donor.person: donor for donor in donors(session, effort, now) if donor.stands.categories & set(parts)}
    groups = {person: group for group in linked_groups(session, giving) for person in group}
    return {person: (donor, groups[person]) for person, donor in giving.items()}


def availability(session: Session, effort: Effort, parts: Collection[DataCategory], now: datetime) -> int:
    """How many human beings have given some of `parts` and have a record here."""
    found = cohort(session, effort, parts, now)
    kept = session.scalars(_WITH_RECORD, {"persons": sorted(found)})
    return people(found[person][1] for person in kept)


def people(groups: Iterable[Group]) -> int:
    """Linked records are one human being: two records never make a cohort of ten look like eleven (REL-02)."""
    return len(set(groups))
