"""What the operator reads: how each store, the ledger and what only a person can settle stand; counts and times only.

What needs to be counted across persons is counted by a job each minute and kept as numbers; everything else is a row
per store. Nothing here is about a person, so any login may read it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from database.context import as_propagation
from database.unit_of_work import Database

_COUNT = text(
    "INSERT INTO standing_count (name, value, oldest_at, looked_at)"
    " SELECT name, value, oldest, :now FROM ("
    " SELECT 'positions' AS name, coalesce(max(position) + 1, 0) AS value, NULL::timestamptz AS oldest FROM position"
    " UNION ALL SELECT 'unsequenced', count(*), min(d.recorded_at) FROM unsequenced u"
    "  JOIN decision d ON d.id = u.decision_id"
    " UNION ALL SELECT 'unsealed', coalesce((SELECT max(position) + 1 FROM position), 0) - h.size,"
    "  (SELECT sequenced_at FROM position WHERE position = h.size)"
    "  FROM (SELECT coalesce(max(size), 0) AS size FROM tree_head) h"
    " UNION ALL SELECT 'task:' || kind || coalesce('/' || (detail ->> 'why'), ''), count(*), min(opened_at)"
    "  FROM staff_task WHERE closed_at IS NULL GROUP BY 1"
    " UNION ALL SELECT 'parked:' || store_id || ':' || reason, count(*), min(parked_at) FROM parked_item"
    "  WHERE resolved_at IS NULL GROUP BY store_id, reason) counted"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value, oldest_at = excluded.oldest_at,"
    " looked_at = excluded.looked_at"
)
_GONE = text("DELETE FROM standing_count WHERE name ~ '^(task|parked):' AND looked_at < :now")
_COUNTS = text("SELECT name, value, oldest_at, looked_at FROM standing_count ORDER BY name")
_HEAD = text("SELECT size, signed_at FROM tree_head ORDER BY size DESC LIMIT 1")
_STORES = text(
    "SELECT s.id, s.name, s.kind, s.deadline_seconds, h.state, h.since, h.last_error, h.heard_at,"
    " coalesce(h.waiting, 0) AS waiting, coalesce(h.overdue, 0) AS overdue, coalesce(h.parked, 0) AS parked,"
    " h.oldest_due_at, h.looked_at, coalesce(c.position, 0) AS position, coalesce(c.event_number, 0) AS event_number,"
    " coalesce(c.failures, 0) AS failures, c.next_try_at, p.paused_at, p.why, g.step, g.state AS mail, g.tries,"
    " g.claimed_at, g.last_error AS mail_error, r.outcome, r.ended_at, r.differing, r.stray, r.to_people,"
    " b.next_position, b.stop_position"
    " FROM store s LEFT JOIN store_channel h ON h.store_id = s.id LEFT JOIN store_cursor c ON c.store_id = s.id"
    " LEFT JOIN store_pause p ON p.store_id = s.id AND p.ended_at IS NULL"
    " LEFT JOIN LATERAL (SELECT * FROM store_digest WHERE store_id = s.id ORDER BY id DESC LIMIT 1) g ON true"
    " LEFT JOIN LATERAL (SELECT * FROM reconciliation WHERE store_id = s.id ORDER BY id DESC LIMIT 1) r ON true"
    " LEFT JOIN store_backfill b ON b.store_id = s.id AND b.finished_at IS NULL"
    " WHERE s.retired_at IS NULL AND s.basis <> 'law'"
    " ORDER BY coalesce(h.overdue, 0) = 0, h.oldest_due_at NULLS LAST, s.id"
)


@dataclass(frozen=True)
class LastMail:
    """The newest mail to a store's contact: its place in the silence, how it stands, how often it was handed over."""

    step: int
    state: str
    tries: int
    claimed_at: datetime
    error: str | None


@dataclass(frozen=True)
class LastComparison:
    """The newest reconciliation with a store. `drift`: differences found; `to_people`: those only a person settles."""

    outcome: str
    ended_at: datetime
    drift: int
    to_people: int


@dataclass(frozen=True)
class StoreNow:
    """One store. `waiting`, `overdue` and `parked` count events as of `looked_at`; its sender has read the ledger below
    `position` and failed `failures` times in a row, with the next try at `next_try_at`. `channel` is its state since
    `since`, `requested` before it answered first. `backfill`: how much of one is told, in [0, 1].
    """

    id: str
    name: str
    kind: str
    deadline: timedelta
    channel: str
    since: datetime | None
    last_error: str | None
    heard_at: datetime | None
    waiting: int
    overdue: int
    parked: int
    oldest_due_at: datetime | None
    looked_at: datetime | None
    position: int
    event_number: int
    failures: int
    next_try_at: datetime | None
    paused_at: datetime | None
    why_paused: str | None
    mail: LastMail | None
    comparison: LastComparison | None
    backfill: float | None

    def lag(self, now: datetime) -> timedelta:
        """The age of the oldest decision that it has not confirmed; nothing when there is none."""
        if self.oldest_due_at is None:
            return timedelta()
        return max(timedelta(), now - (self.oldest_due_at - self.deadline))


@dataclass(frozen=True)
class Count:
    """A number, as of `looked_at`; `oldest_at` is when the oldest of what it counts began."""

    value: int
    oldest_at: datetime | None
    looked_at: datetime


@dataclass(frozen=True)
class Operations:
    """Everything at one moment. `counts` by name: `positions`, `unsequenced`, `unsealed`, `task:KIND`,
    `parked:STORE:REASON`. `head`: size and time of the newest signed head, None before the first.
    """

    stores: tuple[StoreNow, ...]
    counts: dict[str, Count]
    head: tuple[int, datetime] | None

    def count(self, name: str) -> int:
        found = self.counts.get(name)
        return found.value if found else 0

    def named(self, prefix: str) -> Iterable[tuple[str, Count]]:
        """The counts whose names begin with `prefix` and a colon, with the rest of their names."""
        start = f"{prefix}:"
        return [(name.removeprefix(start), count) for name, count in self.counts.items() if name.startswith(start)]


def count_standing(database: Database, now: datetime) -> None:
    """Count what lies across persons and keep the numbers. `database` is the worker's login."""
    with database.begin(as_propagation()) as session:
        session.execute(_COUNT, {"now": now})
        session.execute(_GONE, {"now": now})


def read_operations(session: Session) -> Operations:
    """Three queries, a row per store and per number; for any login."""
    counts = {row.name: Count(row.value, row.oldest_at, row.looked_at) for row in session.execute(_COUNTS)}
    head = session.execute(_HEAD).one_or_none()
    stores = tuple(_store(row._mapping) for row in session.execute(_STORES))
    return Operations(stores, counts, (head.size, head.signed_at) if head else None)


def _store(row: RowMapping) -> StoreNow:
    mail = comparison = backfill = None
    if row["step"] is not None:
        mail = LastMail(row["step"], row["mail"], row["tries"], row["claimed_at"], row["mail_error"])
    if row["outcome"] is not None:
        drift = row["differing"] + row["stray"]
        comparison = LastComparison(row["outcome"], row["ended_at"], drift, row["to_people"])
    if row["stop_position"] is not None:
        backfill = row["next_position"] / max(1, row["stop_position"])
    return StoreNow(
        row["id"],
        row["name"],
        row["kind"],
        timedelta(seconds=row["deadline_seconds"]),
        row["state"] or "requested",
        row["since"],
        row["last_error"],
        row["heard_at"],
        row["waiting"],
        row["overdue"],
        row["parked"],
        row["oldest_due_at"],
        row["looked_at"],
        row["position"],
        row["event_number"],
        row["failures"],
        row["next_try_at"],
        row["paused_at"],
        row["why"],
        mail,
        comparison,
        backfill,
    )
