"""Reads the ledger on from a cursor of its own, for what follows from decisions besides telling the stores.

Only decisions that have their place in the one order are read. A reader's cursor is a row among the stores' cursors;
its name is no store's, for the configuration names every store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text

from consent.decision import Answer
from consent.donors import linked_groups
from database.context import as_persons, as_propagation
from notifications.tables import ContactPoint
from notifications.texting import Texting
from vocabulary.actor import ActorKind

A_READ = 200
CARRIED = "carried-over"
"""The reason on a decision that the service repeated under a newly known name: the person decided nothing new."""

_READ = text(
    "SELECT q.position, q.person_id, d.actor_kind, d.recorded_at, d.reason, d.answer"
    " FROM position q JOIN decision d ON d.id = q.decision_id"
    " WHERE q.position >= coalesce((SELECT position FROM store_cursor WHERE store_id = :cursor), 0)"
    " ORDER BY q.position LIMIT :most"
)
_ADVANCE = text(
    "INSERT INTO store_cursor (store_id, position, event_number, failures, updated_at)"
    " VALUES (:cursor, :after, 0, 0, :now) ON CONFLICT (store_id) DO UPDATE"
    " SET position = greatest(store_cursor.position, excluded.position), updated_at = excluded.updated_at"
)


@dataclass(frozen=True)
class Placed:
    """A decision in its place: whose, when, and who acted."""

    position: int
    person: UUID
    recorded_at: datetime
    by_someone_else: bool
    carried: bool
    by_care_team: bool
    refusing: bool

    @property
    def press(self) -> str:
        """One name for all decisions that one press of a button made; the same on every reading."""
        return f"{self.person}/{self.recorded_at.isoformat()}"


def read_on(texting: Texting, cursor: str) -> list[Placed]:
    """The next decisions after the cursor, in order, a few hundred at most."""
    with texting.database.begin(as_propagation()) as session:
        rows = session.execute(_READ, {"cursor": cursor, "most": A_READ}).all()
    return [
        Placed(
            row.position, row.person_id, row.recorded_at, row.actor_kind != ActorKind.PATIENT.value,
            row.reason == CARRIED, row.actor_kind == ActorKind.CARE_TEAM.value, row.answer == Answer.NO.value,
        )
        for row in rows
    ]  # fmt: skip


def move_on(texting: Texting, cursor: str, after: int, now: datetime) -> None:
    """Everything below `after` is done with; the cursor never goes back."""
    with texting.database.begin(as_propagation()) as session:
        session.execute(_ADVANCE, {"cursor": cursor, "after": after, "now": now})


def to_tell(texting: Texting, read: Sequence[Placed]) -> list[Placed]:
    """Of these, what may be told: one for each press, to people who had proven a number or address before it; also
    where a press counts for two records that are linked.

    What a care team did is told to everyone, for whom nothing else is open by letter.
    """
    persons = {one.person for one in read}
    with texting.database.begin(as_persons(*persons)) as session:
        proven = session.execute(
            select(ContactPoint.person_id, ContactPoint.confirmed_at).where(
                ContactPoint.person_id.in_(persons),
                ContactPoint.state == "confirmed",
                ContactPoint.confirmed_at.is_not(None),
            )
        ).all()
        pressed = {one.recorded_at for one in read}
        groups = linked_groups(session, persons) if len(pressed) < len({one.press for one in read}) else []
    since: dict[UUID, datetime] = {}
    for person, moment in proven:
        if moment is not None:
            since[person] = min(moment, since.get(person, moment))
    chosen: dict[str, Placed] = {}
    for one in read:
        known = since.get(one.person)
        if not one.carried and (one.by_care_team or (known is not None and one.recorded_at >= known)):
            chosen.setdefault(one.press, one)
    told: dict[tuple[datetime, frozenset[UUID]], Placed] = {}
    for one in chosen.values():
        human = next((group for group in groups if one.person in group), frozenset({one.person}))
        first = told.setdefault((one.recorded_at, human), one)
        if first.person not in since and one.person in since:
            told[one.recorded_at, human] = one
    return list(told.values())
