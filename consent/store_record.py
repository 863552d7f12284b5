"""Each store's public record: how fast it confirmed, what is late now, and what its last comparison found (SUB-08).

Counted from receipts, a run of them at a time, each once; work grows with what stores confirmed, never with people.
What is kept is a histogram by store and month. What is shown has no number below 11 but none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.kept_receipts import STATES, one_receipt
from database.context import as_propagation
from database.unit_of_work import Database

SMALLEST_SHOWN = 11
"""Counts from 1 to 10 are shown as few: a store of few people could else tell who is meant."""
HOLD_BACK = timedelta(seconds=30)
"""Receipts are numbered before they are committed, so the newest are left for the next look."""
A_READ = 5_000
MINUTE, HOUR, DAY = 60, 3_600, 86_400
EDGES = (
    1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50,
    *(n * MINUTE for n in (1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50)),
    *(n * HOUR for n in (1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 16, 20)),
    *(n * DAY for n in (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 21, 30, 45, 60, 90, 180, 365)),
)  # fmt: skip
"""Upper ends of the buckets, in seconds, included; the last bucket has none."""

# A batch's first whole receipt, and the first confirming receipt of a single event that the batch's did not confirm.
_CONFIRMS = "('applied', 'nothing-held')"
_WHOLE = one_receipt("w.detail", "p.event_number - p.first_event", "p.event_number")
_COUNT = text(
    "WITH page AS MATERIALIZED (SELECT r.*, b.first_event, b.positions FROM receipt r"  # noqa: S608 - constants
    " JOIN store_batch b ON b.id = r.batch_id WHERE r.id > :after AND r.id <= :upto AND b.purpose = 'stream'),"
    " confirmed AS ("
    f" SELECT p.store_id, p.received_at, e.position FROM page p CROSS JOIN LATERAL ({STATES}) e"
    f"  WHERE p.event_number IS NULL AND e.state IN {_CONFIRMS} AND NOT EXISTS (SELECT FROM receipt x"
    "   WHERE x.batch_id = p.batch_id AND x.event_number IS NULL AND x.id < p.id)"
    " UNION ALL SELECT p.store_id, p.received_at, p.positions[p.event_number - p.first_event + 1]"
    f"  FROM page p WHERE p.event_number IS NOT NULL AND p.state IN {_CONFIRMS}"
    "  AND NOT EXISTS (SELECT FROM receipt x WHERE x.store_id = p.store_id AND x.event_number = p.event_number"
    f"   AND x.id < p.id AND x.state IN {_CONFIRMS})"
    "  AND NOT EXISTS (SELECT FROM receipt w WHERE w.batch_id = p.batch_id AND w.event_number IS NULL AND w.id < p.id"
    f"   AND {_WHOLE} ->> 'state' IN {_CONFIRMS})),"
    " timed AS (SELECT c.store_id, c.received_at,"
    "  greatest(0, ceil(extract(epoch FROM c.received_at - d.recorded_at)))::bigint AS seconds FROM confirmed c"
    "  JOIN position q ON q.position = c.position JOIN decision d ON d.id = q.decision_id"
    "  JOIN store s ON s.id = c.store_id WHERE d.recorded_at >= s.added_at)"
    " INSERT INTO confirm_time (store_id, month, bucket, events, seconds, slowest, first_at)"
    " SELECT store_id, date_trunc('month', received_at AT TIME ZONE 'UTC')::date,"
    "  width_bucket(seconds - 0.5, CAST(:edges AS float8[])::numeric[]), count(*), sum(seconds), max(seconds),"
    "  min(received_at) FROM timed GROUP BY 1, 2, 3"
    " ON CONFLICT (store_id, month, bucket) DO UPDATE SET events = confirm_time.events + excluded.events,"
    "  seconds = confirm_time.seconds + excluded.seconds, slowest = greatest(confirm_time.slowest, excluded.slowest),"
    "  first_at = least(confirm_time.first_at, excluded.first_at)"
)
_SEEN = text(
    "INSERT INTO standing_count (name, value, looked_at) VALUES ('receipts', 0, :now)"
    " ON CONFLICT (name) DO UPDATE SET looked_at = :now RETURNING value"
)
_PAGE = text("SELECT id, received_at FROM receipt WHERE id > :after ORDER BY id LIMIT :most")
_MOVE = text("UPDATE standing_count SET value = :upto WHERE name = 'receipts'")
_TIMES = text("SELECT store_id, month, bucket, events, seconds, slowest, first_at FROM confirm_time")
_STORES = text(
    "SELECT s.id, s.name, s.deadline_seconds, coalesce(h.overdue, 0) AS overdue, r.ended_at, r.outcome, r.differing,"
    " r.stray, p.paused_at FROM store s LEFT JOIN store_channel h ON h.store_id = s.id"
    " LEFT JOIN LATERAL (SELECT * FROM reconciliation WHERE store_id = s.id AND outcome <> 'cannot'"
    "  ORDER BY id DESC LIMIT 1) r ON true"
    " LEFT JOIN store_pause p ON p.store_id = s.id AND p.ended_at IS NULL"
    " WHERE s.retired_at IS NULL AND s.basis <> 'law' ORDER BY s.name"
)


@dataclass(frozen=True)
class Times:
    """Times to confirm of one store: `buckets` counts events by index into `EDGES`; seconds in sum and at worst."""

    buckets: tuple[int, ...]
    seconds: int
    slowest: int
    since: datetime

    @property
    def events(self) -> int:
        return sum(self.buckets)

    def half_within(self) -> timedelta:
        """The shortest end of a bucket within which at least half of the events were confirmed."""
        left = (self.events + 1) // 2
        for index, count in enumerate(self.buckets):
            left -= count
            if left <= 0 and index < len(EDGES):
                return min(timedelta(seconds=EDGES[index]), timedelta(seconds=self.slowest))
        return timedelta(seconds=self.slowest)


@dataclass(frozen=True)
class StoreRecord:
    """One store's record. `half`, `slowest` and `since` None: fewer than 11 events in the year; `overdue` and `drift`
    None: few.

    `checked`: when it was last compared with the ledger, None never; `drift`: how many differences that found;
    `answered` False: it gave no answer to the comparison. `paused`: we send it nothing now, by our own decision.
    """

    store_id: str
    name: str
    deadline: timedelta
    half: timedelta | None
    slowest: timedelta | None
    since: datetime | None
    overdue: int | None
    checked: datetime | None
    answered: bool
    drift: int | None
    paused: bool


def shown(count: int) -> int | None:
    """The count, or None when it is small but not none."""
    return None if 0 < count < SMALLEST_SHOWN else count


def count_confirmations(database: Database, now: datetime) -> int:
    """Count the receipts that came since the last look; how many rows were looked at. `database`: the worker's login.

    Looks of several processes take their turn. A decision older than the store, and what was told again by a backfill
    or a repair, is not counted: nobody waited for it.
    """
    with database.begin(as_propagation()) as session:
        after = int(session.scalar(_SEEN, {"now": now}) or 0)
        upto, looked_at = after, 0
        for row in session.execute(_PAGE, {"after": after, "most": A_READ}):
            if row.received_at > now - HOLD_BACK:
                break
            upto, looked_at = row.id, looked_at + 1
        if looked_at:
            session.execute(_COUNT, {"after": after, "upto": upto, "edges": [float(edge) for edge in EDGES]})
            session.execute(_MOVE, {"upto": upto})
    return looked_at


def read_times(session: Session, since: date | None = None) -> dict[str, Times]:
    """Times to confirm by store, of the months from that of `since` on; for any login."""
    rows: dict[str, list[Any]] = {}
    for row in session.execute(_TIMES):
        if since is None or row.month >= since.replace(day=1):
            rows.setdefault(row.store_id, []).append(row)
    return {store: _times(mine) for store, mine in rows.items()}


def _times(rows: Sequence[Any]) -> Times:
    buckets = [0] * (len(EDGES) + 1)
    for row in rows:
        buckets[row.bucket] += row.events
    slowest = max(row.slowest for row in rows)
    return Times(tuple(buckets), sum(row.seconds for row in rows), slowest, min(row.first_at for row in rows))


def read_records(session: Session, now: datetime) -> tuple[StoreRecord, ...]:
    """The public record of every store that is told of decisions, by name; of the last year; for any login."""
    times = read_times(session, now.date() - timedelta(days=365))
    return tuple(_record(row, times.get(row.id)) for row in session.execute(_STORES))


def _record(row: Any, times: Times | None) -> StoreRecord:
    enough = times is not None and times.events >= SMALLEST_SHOWN
    return StoreRecord(
        row.id,
        row.name,
        timedelta(seconds=row.deadline_seconds),
        times.half_within() if times and enough else None,
        timedelta(seconds=times.slowest) if times and enough else None,
        times.since if times and enough else None,
        shown(row.overdue),
        row.ended_at,
        row.outcome in ("agrees", "drift"),
        shown(row.differing + row.stray) if row.outcome else None,
        row.paused_at is not None,
    )
