"""A person's decisions, read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.decision import Decision
from consent.rows import decision_of
from consent.standing import Standing, standing

_READ = text(
    "SELECT d.*, q.position FROM decision d LEFT JOIN position q ON q.decision_id = d.id"
    " WHERE d.person_id = ANY (:persons) ORDER BY d.recorded_at DESC, d.version DESC"
)


@dataclass(frozen=True)
class Entry:
    """One decision and its place in the one order; `position` is None until the sequencer has given it one."""

    decision: Decision
    position: int | None


def read_history(session: Session, persons: Sequence[UUID]) -> tuple[Entry, ...]:
    """All decisions of these (linked) persons, newest first; one query."""
    rows = session.execute(_READ, {"persons": list(persons)}).mappings()
    return tuple(Entry(decision_of(row), row["position"]) for row in rows)  # type: ignore[arg-type]  # a row is read by its columns' names


def read_standing(session: Session, persons: Sequence[UUID], now: datetime) -> Standing:
    """Where the person and those linked to them stand now; one query."""
    return standing([entry.decision for entry in read_history(session, persons)], now)
