"""Adds the clock's rows when a yes begins or runs out, so that every store obeys the date (CON-09, ADR 0008).

Set-based: ends go as a set (`ends.py`); of the rest one query finds the persons concerned through an index over the
dates, and each transaction does the rows of many. Two at once do no harm: the person's lock and the row's key let one
of them add it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.dates import due, row_for
from consent.decision import Decision
from consent.effort_ends import as_they_stand
from consent.efforts import SANDBOX_EFFORTS, Effort
from consent.feed.ends import add_ends
from consent.record_decision import LOCK, insert_decisions
from consent.rows import decision_of
from database.context import as_persons, as_propagation
from database.unit_of_work import Database
from vocabulary.time_ordered_id import RANDOM_BYTES, time_ordered_id

MARGIN = timedelta(hours=1)
"""A decision may be committed after its date has come; a look begins this much before the last one."""
EVER = datetime(1970, 1, 1, tzinfo=UTC)
AT_ONCE = 200

# A beginning that came while no later row told the stores something else. What only looks due the rule sorts out.
_DUE = text(
    "SELECT DISTINCT d.person_id FROM decision d WHERE d.starts_at > d.recorded_at AND d.starts_at > :since"
    "  AND d.starts_at <= :now AND d.answer = 'yes' AND d.person_id > :after"
    "  AND NOT EXISTS (SELECT 1 FROM decision e WHERE e.person_id = d.person_id AND e.choice = d.choice"
    "   AND e.effort_id IS NOT DISTINCT FROM d.effort_id AND e.version > d.version AND e.means <> 'expiry'"
    "   AND (e.answer = 'no' OR e.starts_at IS NULL OR e.starts_at <= e.recorded_at))"
    " ORDER BY d.person_id LIMIT :most"
)
_HISTORY = text("SELECT * FROM decision WHERE person_id = ANY (:persons) ORDER BY person_id, version")
_FIRST = UUID(int=0)


class Calendar:
    """Looks for dates that have come. It remembers only when it last looked, to read less; a new one reads all."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._looked = EVER

    def look(self, now: datetime) -> int:
        """Add a row for each date that has come; returns how many. `database` is the worker's login."""
        made, after = add_ends(self._database, self._looked, now), _FIRST
        while persons := self._concerned(after, now):
            made += self._add(persons, now)
            after = persons[-1]
        self._looked = max(self._looked, now - MARGIN)
        return made

    def _concerned(self, after: UUID, now: datetime) -> list[UUID]:
        bound = {"since": self._looked, "now": now, "after": after, "most": AT_ONCE}
        with self._database.begin(as_propagation()) as session:
            return list(session.scalars(_DUE, bound))

    def _add(self, persons: Sequence[UUID], now: datetime) -> int:
        with self._database.begin(as_persons(*persons)) as session:
            session.execute(LOCK, {"persons": list(persons)})
            efforts = as_they_stand(session, SANDBOX_EFFORTS)  # nothing begins for one that has ended
            made = [row for own in _histories(session, persons).values() for row in _rows(own, now, efforts)]
            if made:
                insert_decisions(session, made, "decision.recorded")
        return len(made)


def _histories(session: Session, persons: Sequence[UUID]) -> dict[UUID, list[Decision]]:
    found: dict[UUID, list[Decision]] = {}
    for row in session.execute(_HISTORY, {"persons": list(persons)}).mappings():
        decision = decision_of(row)  # type: ignore[arg-type]  # Row mapping
        found.setdefault(decision.person_id, []).append(decision)
    return found


def _rows(own: Sequence[Decision], now: datetime, efforts: tuple[Effort, ...]) -> list[Decision]:
    version = max(decision.version for decision in own)
    return [
        row_for(
            item, time_ordered_id(now, secrets.token_bytes(RANDOM_BYTES)), version + count, secrets.token_bytes(32), now
        )
        for count, item in enumerate(due(own, now, efforts), start=1)
    ]
