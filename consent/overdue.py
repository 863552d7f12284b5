"""What each store still owes: events past its deadline, waiting, parked. Counts and times, never about whom (SUB-08).

Work grows with what is unconfirmed, never with people. The feed looks every minute and leaves the counts with the
store's channel, where the operator's page, the metrics and the mails to the store's contact read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.coverage import PATIENT_ID
from consent.feed.read_events import CONCERNS
from consent.store_config import Store
from database.context import as_propagation
from database.unit_of_work import Database

MOST_COUNTED = 100_000
"""A store that is further behind is shown as behind by at least this many."""
LATE_MARGIN = 5_000
"""Receipts are numbered before they are committed: a look begins this many before the last one it saw."""

_SETTLE = text(
    "DELETE FROM unconfirmed_event u USING receipt r WHERE r.id > :seen AND r.store_id = u.store_id"
    " AND r.event_number = u.event_number AND r.state IN ('applied', 'nothing-held')"
)
_SEEN = text("SELECT coalesce(max(id), 0) FROM receipt")
REACHED = (
    "CASE :basis WHEN 'operations' THEN EXISTS (SELECT 1 FROM person_alias a WHERE a.person_id = d.person_id"
    " AND CASE WHEN CAST(:system AS text) IS NULL THEN a.system <> :technical ELSE a.system = :system END"
    " AND (:anywhere OR coalesce(a.practice_id, a.issued_by || '-main') = ANY (:practices)))"
    " ELSE (d.effort_id = :effort AND d.answer = 'yes') OR EXISTS (SELECT 1 FROM store_subject s"
    " WHERE s.store_id = :store AND s.person_id = d.person_id) END"
)
_OWED = text(
    "SELECT count(*) AS waiting, min(recorded_at) AS oldest,"  # noqa: S608 - constants
    " count(*) FILTER (WHERE recorded_at < :cutoff) AS overdue,"
    " count(*) FILTER (WHERE kind = 'parked') AS parked FROM ("
    " (SELECT 'behind' AS kind, d.recorded_at FROM position q JOIN decision d ON d.id = q.decision_id"
    f"  WHERE q.position >= :cursor AND {CONCERNS} AND {REACHED} ORDER BY q.position LIMIT :most)"
    " UNION ALL SELECT 'parked', d.recorded_at FROM parked_item k JOIN position q ON q.position = k.position"
    "  JOIN decision d ON d.id = q.decision_id WHERE k.store_id = :store AND k.resolved_at IS NULL"
    " UNION ALL SELECT 'unconfirmed', u.recorded_at FROM unconfirmed_event u WHERE u.store_id = :store) owed"
)
_CURSOR = text("SELECT position FROM store_cursor WHERE store_id = :store")
_KEEP = text(
    "INSERT INTO store_channel (store_id, state, since, waiting, overdue, parked, oldest_due_at, looked_at)"
    " VALUES (:store, 'requested', :now, :waiting, :overdue, :parked, :oldest_due_at, :now)"
    " ON CONFLICT (store_id) DO UPDATE SET waiting = excluded.waiting, overdue = excluded.overdue,"
    " parked = excluded.parked, oldest_due_at = excluded.oldest_due_at, looked_at = excluded.looked_at"
)
_READ = text(
    "SELECT s.id, s.name, s.contact, h.state, h.since, h.last_error, h.heard_at, h.waiting, h.overdue, h.parked,"
    " h.oldest_due_at, h.looked_at FROM store_channel h JOIN store s ON s.id = h.store_id"
    " WHERE s.retired_at IS NULL ORDER BY h.overdue = 0, h.oldest_due_at NULLS LAST, s.id"
)


@dataclass(frozen=True)
class StoreStanding:
    """How one store stands, as of `looked_at`. `waiting`: events not confirmed, due or not; `overdue`: those past its
    deadline; `oldest_due_at`: when the oldest of all was or is due; `parked`: items set aside, counted in both.

    `state` is its channel's (`requested`, `active`, `error`) since `since`; `heard_at` its last believed answer.
    """

    store_id: str
    name: str
    contact: str
    state: str
    since: datetime
    last_error: str | None
    heard_at: datetime | None
    waiting: int
    overdue: int
    parked: int
    oldest_due_at: datetime | None
    looked_at: datetime | None


class Owed:
    """Counts what the stores owe. It remembers only which receipts it saw, to read less; a new one reads all."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen = 0

    def look(self, stores: Sequence[Store], now: datetime) -> None:
        """Settle what later receipts confirmed, count, and keep the counts. `database` is the worker's login."""
        with self._database.begin(as_propagation()) as session:
            newest = int(session.scalar(_SEEN) or 0)
            session.execute(_SETTLE, {"seen": self._seen})
        self._seen = max(0, newest - LATE_MARGIN)
        for store in stores:
            if store.is_told:
                with self._database.begin(as_propagation()) as session:
                    _count(session, store, now)


def _count(session: Session, store: Store, now: datetime) -> None:
    bound = {
        "store": store.id,
        "cursor": int(session.scalar(_CURSOR, {"store": store.id}) or 0),  # a value: the planner sees how far behind
        "basis": store.basis.value,
        "effort": store.effort,
        "via": store.via_cancerlinq,
        "system": store.identifier_system,
        "technical": PATIENT_ID,
        "anywhere": not store.practices,
        "practices": sorted(store.practices),
        "cutoff": now - store.deadline,
        "most": MOST_COUNTED,
    }
    row = session.execute(_OWED, bound).one()
    session.execute(
        _KEEP,
        {
            "store": store.id,
            "waiting": row.waiting,
            "overdue": row.overdue,
            "parked": row.parked,
            "oldest_due_at": row.oldest + store.deadline if row.oldest else None,
            "now": now,
        },
    )


def store_standings(session: Session) -> tuple[StoreStanding, ...]:
    """Every store that was looked at, the longest overdue first; for any login, for the operator's page."""
    return tuple(StoreStanding(*row) for row in session.execute(_READ))
