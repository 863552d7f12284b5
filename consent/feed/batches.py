"""A store's cursor and batches in the database: made before they are sent, settled when they are answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CursorResult, text
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from consent.feed.keep_receipts import keep_receipts
from consent.feed.pace import Pace
from consent.feed.read_events import numbered, read_events, read_events_at, up_to_unreadable
from consent.feed.retelling import Purpose, Retold, leave_behind, next_of_backfill, next_repair
from consent.store_config import Store
from consent.stores.adapter import BatchAnswer
from consent.tables import StoreBatch
from consent.wire import StoreEvent
from database.keyring import KeyRing

_CURSOR = text(
    "SELECT c.position, c.event_number, c.failures, c.next_try_at,"
    " EXISTS (SELECT 1 FROM store_retelling r WHERE r.store_id = c.store_id) AS repairs,"
    " EXISTS (SELECT 1 FROM store_backfill f WHERE f.store_id = c.store_id AND f.finished_at IS NULL) AS filling"
    " FROM store_cursor c WHERE c.store_id = :store"
)
_CURSOR_LOCKED = text(f"{_CURSOR.text} FOR NO KEY UPDATE OF c")
_TOP = text("SELECT coalesce(max(position) + 1, 0) FROM position")
# No batch is made while one waits, so the one that waits has the next numbers.
_WAITING = text(
    "SELECT id, first_event, last_event, first_position, last_position, positions, purpose FROM store_batch"
    " WHERE store_id = :store AND first_event = :event AND answered_at IS NULL"
)
_ADVANCE = text(
    "UPDATE store_cursor SET position = :after, event_number = :event, failures = 0, last_error = NULL,"
    " next_try_at = NULL, updated_at = :now WHERE store_id = :store AND position = :before"
)
_NUMBERED = text(
    "UPDATE store_cursor SET event_number = :event, failures = 0, last_error = NULL, next_try_at = NULL,"
    " updated_at = :now WHERE store_id = :store AND event_number = :before"
)
_ANSWERED = text("UPDATE store_batch SET told_at = :now, answered_at = :now WHERE id = :id AND answered_at IS NULL")
_FAILED = text(
    "UPDATE store_cursor SET failures = :failures, last_error = :error, next_try_at = :next, updated_at = :now"
    " WHERE store_id = :store"
)
_SHRINK = text(
    "UPDATE store_batch SET id = :new, last_event = :last_event, last_position = :last_position,"
    " positions = :positions WHERE id = :id AND answered_at IS NULL"
)


class LostCursor(Exception):
    """Another sender moved this store's cursor in between: what was done here is rolled back and read anew."""


@dataclass(frozen=True)
class Cursor:
    """`position`: everything below is answered or parked, or left to a backfill. `event_number`: the last number given
    out and settled. `repairs`, `filling`: there is something to tell beside the stream."""

    position: int
    event_number: int
    failures: int
    next_try_at: datetime | None
    repairs: bool = False
    filling: bool = False


@dataclass(frozen=True)
class MadeBatch:
    """A batch in the database with its events rebuilt; the same row gives the same bytes on every try.

    One that is not readable holds one position, with a name that cannot be opened: it is parked unsent.
    """

    id: UUID
    first_event: int
    first_position: int
    last_position: int
    events: tuple[StoreEvent, ...]
    purpose: Purpose = Purpose.STREAM

    @property
    def last_event(self) -> int:
        return self.first_event + len(self.events) - 1

    @property
    def is_readable(self) -> bool:
        return all(event.is_readable for event in self.events)


def read_cursor(session: Session, store: Store, *, lock: bool = False) -> Cursor:
    """`lock`: until the transaction ends nobody else makes a batch of this store or begins a backfill."""
    row = session.execute(_CURSOR_LOCKED if lock else _CURSOR, {"store": store.id}).one()
    return Cursor(row.position, row.event_number, row.failures, row.next_try_at, row.repairs, row.filling)


def next_batch(
    session: Session, ring: KeyRing, store: Store, cursor: Cursor, now: datetime, pace: Pace
) -> MadeBatch | None:
    """The batch to send now: the one that waits for its answer, else a new one; None when all is told.

    A new one is a repair first, then the stream, then a backfill. Runs of positions that do not concern the store are
    passed over here, with no batch.
    """
    waiting = session.execute(_WAITING, {"store": store.id, "event": cursor.event_number + 1}).one_or_none()
    if waiting is not None:
        return _rebuild(session, ring, store, waiting, now)
    if cursor.repairs:
        return _retold(session, store, cursor, next_repair(session, ring, store, now), now)
    made, moved = _of_stream(session, ring, store, cursor, now, pace.batch)
    if made is not None or moved or not cursor.filling:
        return made
    return _retold(session, store, cursor, next_of_backfill(session, ring, store, now, pace.backfill), now)


def _of_stream(
    session: Session, ring: KeyRing, store: Store, cursor: Cursor, now: datetime, most: int
) -> tuple[MadeBatch | None, bool]:
    """The next batch of the stream, or whether the cursor moved without one."""
    top = int(session.scalar(_TOP) or 0)
    start, stop = cursor.position, min(cursor.position + most, top)
    if start >= stop:
        return None, False
    told = read_events(session, ring, store, start, stop, now)
    if not told:
        _advance(session, store, start, stop, cursor.event_number, now)
        return None, True
    return _make(session, store, cursor, Retold(Purpose.STREAM, start, stop, tuple(told)), now), True


def _retold(session: Session, store: Store, cursor: Cursor, found: Retold | None, now: datetime) -> MadeBatch | None:
    return _make(session, store, cursor, found, now) if found is not None and found.told else None


def _make(session: Session, store: Store, cursor: Cursor, found: Retold, now: datetime) -> MadeBatch:
    told, stop = up_to_unreadable(found.told, found.stop)
    events = numbered(told, store, cursor.event_number + 1)
    made = MadeBatch(uuid4(), events[0].number, found.start, stop - 1, tuple(events), found.purpose)
    row = pg_insert(StoreBatch).values(_batch_row(store, made, now)).on_conflict_do_nothing().returning(StoreBatch.id)
    if session.scalar(row) is None:
        raise LostCursor  # another sender made this batch first
    return made


def _batch_row(store: Store, made: MadeBatch, now: datetime) -> dict[str, Any]:
    return {
        "id": made.id,
        "store_id": store.id,
        "first_event": made.first_event,
        "last_event": made.last_event,
        "first_position": made.first_position,
        "last_position": made.last_position,
        "positions": [event.position for event in made.events],
        "made_at": now,
        "purpose": made.purpose.value,
    }


def _rebuild(session: Session, ring: KeyRing, store: Store, row: Any, now: datetime) -> MadeBatch:
    """The events of a stored batch: what each position had when it was made, by the k-th name of its person."""
    events = rebuild_events(session, ring, store, list(row.positions), row.first_event, now)
    made = MadeBatch(
        row.id, row.first_event, row.first_position, row.last_position, tuple(events), Purpose(row.purpose)
    )
    broken = next((event.position for event in events if not event.is_readable), None)
    if broken is None:
        return made
    before = [event.position for event in events if event.position < broken]
    return _cut(session, made, before or [event.position for event in events if event.position == broken])


def rebuild_events(
    session: Session, ring: KeyRing, store: Store, positions: Sequence[int], first_event: int, now: datetime
) -> list[StoreEvent]:
    told = read_events_at(session, ring, store, positions, now)
    left: dict[int, int] = {}
    for position in positions:
        left[position] = left.get(position, 0) + 1
    kept = []
    for item in told:  # a name added since the batch was made is told by its own carried decision
        if left.get(item.position, 0) > 0:
            left[item.position] -= 1
            kept.append(item)
    return numbered(kept, store, first_event)


def settle(session: Session, store: Store, made: MadeBatch, answer: BatchAnswer, now: datetime) -> None:
    """Keep the receipts and move the cursor; LostCursor when another sender was here first."""
    changed = session.execute(_ANSWERED, {"id": made.id, "now": now})
    if _count(changed) != 1:
        raise LostCursor
    keep_receipts(session, store, made.id, made.events, answer, now, whole=True)
    _leave_behind(session, store, made, now)


def pass_over(session: Session, store: Store, made: MadeBatch, now: datetime) -> None:
    """Leave a parked batch behind without a receipt."""
    if _count(session.execute(_ANSWERED, {"id": made.id, "now": now})) != 1:
        raise LostCursor
    _leave_behind(session, store, made, now)


def _leave_behind(session: Session, store: Store, made: MadeBatch, now: datetime) -> None:
    start, stop = made.first_position, made.last_position + 1
    if made.purpose is Purpose.STREAM:
        _advance(session, store, start, stop, made.last_event, now)
        return
    bound = {"store": store.id, "before": made.first_event - 1, "event": made.last_event, "now": now}
    positions = [event.position for event in made.events]
    if _count(session.execute(_NUMBERED, bound)) != 1 or not leave_behind(
        session, store, made.purpose, start, stop, positions, now
    ):
        raise LostCursor


def _advance(session: Session, store: Store, before: int, after: int, event: int, now: datetime) -> None:
    bound = {"store": store.id, "before": before, "after": after, "event": event, "now": now}
    if _count(session.execute(_ADVANCE, bound)) != 1:
        raise LostCursor


def note_failure(session: Session, store: Store, failures: int, reason: str, next_try: datetime, now: datetime) -> None:
    bound = {"store": store.id, "failures": failures, "error": reason, "next": next_try, "now": now}
    session.execute(_FAILED, bound)


def note_recovered(session: Session, store: Store, now: datetime) -> None:
    """The store answers again: what failed before is no longer counted."""
    session.execute(_FAILED, {"store": store.id, "failures": 0, "error": None, "next": None, "now": now})


def shrink(session: Session, made: MadeBatch) -> bool:
    """Halve a batch that fails, at a boundary of positions, under a new id; False when it is down to one position.

    What is cut off is not lost: the cursor has not moved, so it is read again after this half.
    """
    positions = [event.position for event in made.events]
    pivot = positions[len(positions) // 2]
    kept = [position for position in positions if position < pivot] or [
        position for position in positions if position == positions[0]
    ]
    return len(_cut(session, made, kept).events) < len(positions)


def _cut(session: Session, made: MadeBatch, kept: list[int]) -> MadeBatch:
    """The batch with only its first positions `kept`, under a new id; as it was when that is all of it."""
    if len(kept) == len(made.events):
        return made
    cut = MadeBatch(uuid4(), made.first_event, made.first_position, kept[-1], made.events[: len(kept)], made.purpose)
    bound = {
        "id": made.id,
        "new": cut.id,
        "last_event": cut.last_event,
        "last_position": cut.last_position,
        "positions": kept,
    }
    if _count(session.execute(_SHRINK, bound)) != 1:
        raise LostCursor
    return cut


def _count(result: object) -> int:
    assert isinstance(result, CursorResult)
    return int(result.rowcount)
