"""A store's cursor and batches in the database: made before they are sent, settled when they are answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CursorResult, text
from sqlalchemy.orm import Session

from consent.feed.cursor import Cursor, LostCursor
from consent.feed.pace import Pace
from consent.feed.read_ahead import ReadAhead, run_end
from consent.feed.read_events import Told, read_events, up_to_unreadable
from consent.feed.read_lines import is_told_by_lines, read_lines
from consent.feed.rebuild import Events, number, rebuild
from consent.feed.retelling import Purpose, Retold, leave_behind, most_at_once, next_of_backfill, next_repair
from consent.store_config import Store
from consent.stores.lines import LineEvents, Lines
from database.keyring import KeyRing

# No batch is made while one waits, so the one that waits has the next numbers.
_WAITING = text(
    "SELECT id, first_event, last_event, first_position, last_position, positions, purpose FROM store_batch"
    " WHERE store_id = :store AND first_event = :event AND answered_at IS NULL"
)
ADVANCE = text(
    "UPDATE store_cursor SET position = :after, event_number = :event, failures = 0, last_error = NULL,"
    " next_try_at = NULL, updated_at = :now WHERE store_id = :store AND position = :before"
)
NUMBERED = text(
    "UPDATE store_cursor SET event_number = :event, failures = 0, last_error = NULL, next_try_at = NULL,"
    " updated_at = :now WHERE store_id = :store AND event_number = :event_before"
)
ANSWERED = text("UPDATE store_batch SET told_at = :now, answered_at = :now WHERE id = :id AND answered_at IS NULL")
# Until the transaction ends nobody else makes a batch of this store or begins a backfill.
# The batch's row, for whatever comes after `FROM`.
MAKE = (
    "INSERT INTO store_batch (id, store_id, first_event, last_event, first_position, last_position, positions,"
    " made_at, purpose) SELECT CAST(:made_id AS uuid), :store, CAST(:first_event AS bigint),"
    " CAST(:last_event AS bigint), CAST(:first_position AS bigint), CAST(:last_position AS bigint),"
    " CAST(:positions AS bigint[]), CAST(:made_at AS timestamptz), :purpose"
)
_MAKE = text(
    "WITH held AS (SELECT 1 FROM store_cursor WHERE store_id = :store AND position = :cursor"  # noqa: S608 - constants
    "  AND event_number = :first_event - 1 FOR NO KEY UPDATE)"
    f" {MAKE} FROM held ON CONFLICT DO NOTHING RETURNING id"
)
_SHRINK = text(
    "UPDATE store_batch SET id = :new, last_event = :last_event, last_position = :last_position,"
    " positions = :positions WHERE id = :id AND answered_at IS NULL"
)


@dataclass(frozen=True)
class MadeBatch:
    """A batch in the database with its events rebuilt; the same row gives the same bytes on every try.

    One that is not readable holds one position, with a name that cannot be opened: it is parked unsent.
    """

    id: UUID
    first_event: int
    first_position: int
    last_position: int
    events: Events
    purpose: Purpose = Purpose.STREAM

    @property
    def positions(self) -> Sequence[int]:
        """That of each event, in order."""
        return self.events.positions if isinstance(self.events, LineEvents) else [one.position for one in self.events]

    @property
    def listed(self) -> str:
        """The positions as PostgreSQL writes an array."""
        if isinstance(self.events, LineEvents):
            return self.events.lines.listed
        return "{" + ",".join(map(str, self.positions)) + "}"

    @property
    def last_event(self) -> int:
        return self.first_event + len(self.events) - 1

    @property
    def is_readable(self) -> bool:
        one_position = self.events[0].position == self.events[-1].position
        return not one_position or all(event.is_readable for event in self.events)


def next_batch(
    session: Session,
    ring: KeyRing,
    store: Store,
    cursor: Cursor,
    now: datetime,
    pace: Pace,
    ahead: ReadAhead | None = None,
) -> MadeBatch | None:
    """The batch to send now: the one that waits for its answer, else a new one; None when all is told.

    A new one is a repair first, then the stream, then a backfill. Runs of positions that do not concern the store are
    passed over here, with no batch.
    """
    if cursor.waiting:
        bound = {"store": store.id, "event": cursor.event_number + 1}
        waiting = session.execute(_WAITING, bound).one_or_none()
        if waiting is None:
            raise LostCursor  # it was answered by another sender since
        return _rebuild(session, ring, store, waiting, now)
    if cursor.repairs:
        return _retold(session, store, cursor, next_repair(session, ring, store, now), now)
    made, moved = _of_stream(session, ring, store, cursor, now, pace.batch, ahead)
    if made is not None or moved or not cursor.filling:
        return made
    return _retold(session, store, cursor, next_of_backfill(session, ring, store, now, pace, ahead), now)


def _of_stream(
    session: Session,
    ring: KeyRing,
    store: Store,
    cursor: Cursor,
    now: datetime,
    most: int,
    ahead: ReadAhead | None,
) -> tuple[MadeBatch | None, bool]:
    """The next batch of the stream, or whether the cursor moved without one."""
    start = cursor.position
    stop = run_end(start, most)
    told: Sequence[Told] | Lines | None = ahead.take(store, start, stop) if ahead is not None else None
    if told is None:
        stop = cursor.top if cursor.top - start <= most else stop
        if start >= stop:
            return None, False
        told = _read(session, ring, store, (start, stop), now, ahead)
    if ahead is not None:
        ahead.begin(store, stop, most)
    if not told:
        _advance(session, store, start, stop, cursor.event_number, now)
        return None, True
    return _make(session, store, cursor, Retold(Purpose.STREAM, start, stop, told), now), True


def _read(
    session: Session, ring: KeyRing, store: Store, run: tuple[int, int], now: datetime, ahead: ReadAhead | None
) -> Sequence[Told] | Lines:
    if not is_told_by_lines(store):
        return read_events(session, ring, store, *run, now)
    if ahead is None:
        return read_lines(session, ring, store, *run, now)
    return ahead.head(store, *run, lambda start, stop: read_lines(session, ring, store, start, stop, now))


def following(store: Store, made: MadeBatch, pace: Pace, ahead: ReadAhead) -> MadeBatch | None:
    """The batch of the stream or of a backfill that comes after `made`, when what it tells was read ahead and is as it
    most often is: there is something to tell, and each name can be opened."""
    start = made.last_position + 1
    if made.purpose is Purpose.BACKFILL:
        told, stop = ahead.take_standing(store, start, most_at_once(store, pace)) or (None, start)
    else:
        stop = run_end(start, pace.batch)
        told = ahead.take(store, start, stop) if made.purpose is Purpose.STREAM else None
    if not told or up_to_unreadable(told, stop) != (told, stop):
        return None
    if made.purpose is Purpose.STREAM:
        ahead.begin(store, stop, pace.batch)
    first = made.last_event + 1
    return MadeBatch(uuid4(), first, start, stop - 1, LineEvents(first, told), made.purpose)


def _retold(session: Session, store: Store, cursor: Cursor, found: Retold | None, now: datetime) -> MadeBatch | None:
    return _make(session, store, cursor, found, now) if found is not None and found.told else None


def _make(session: Session, store: Store, cursor: Cursor, found: Retold, now: datetime) -> MadeBatch:
    told, stop = up_to_unreadable(found.told, found.stop)
    events = number(told, store, cursor.event_number + 1)
    made = MadeBatch(uuid4(), cursor.event_number + 1, found.start, stop - 1, events, found.purpose)
    if session.scalar(_MAKE, {**batch_row(store, made, now), "cursor": cursor.position}) is None:
        raise LostCursor  # another sender made this batch first, or a backfill began
    return made


def batch_row(store: Store, made: MadeBatch, now: datetime) -> dict[str, Any]:
    """What MAKE is bound to."""
    return {
        "made_id": made.id,
        "store": store.id,
        "first_event": made.first_event,
        "last_event": made.last_event,
        "first_position": made.first_position,
        "last_position": made.last_position,
        "positions": made.listed,
        "made_at": now,
        "purpose": made.purpose.value,
    }


def _rebuild(session: Session, ring: KeyRing, store: Store, row: Any, now: datetime) -> MadeBatch:
    """The events of a stored batch: what each position had when it was made, by the k-th name of its person."""
    events = rebuild(session, ring, store, list(row.positions), row.first_event, now)
    made = MadeBatch(row.id, row.first_event, row.first_position, row.last_position, events, Purpose(row.purpose))
    broken = next((event.position for event in events if not event.is_readable), None)
    if broken is None:
        return made
    before = [event.position for event in events if event.position < broken]
    return _cut(session, made, before or [event.position for event in events if event.position == broken])


def pass_over(session: Session, store: Store, made: MadeBatch, now: datetime) -> None:
    """Leave a parked batch behind without a receipt."""
    if _count(session.execute(ANSWERED, {"id": made.id, "now": now})) != 1:
        raise LostCursor
    _leave_behind(session, store, made, now)


def _leave_behind(session: Session, store: Store, made: MadeBatch, now: datetime) -> None:
    start, stop = made.first_position, made.last_position + 1
    if made.purpose is Purpose.STREAM:
        _advance(session, store, start, stop, made.last_event, now)
        return
    bound = {"store": store.id, "event_before": made.first_event - 1, "event": made.last_event, "now": now}
    if _count(session.execute(NUMBERED, bound)) != 1 or not leave_behind(
        session, store, made.purpose, start, stop, made.positions, now
    ):
        raise LostCursor


def _advance(session: Session, store: Store, before: int, after: int, event: int, now: datetime) -> None:
    bound = {"store": store.id, "before": before, "after": after, "event": event, "now": now}
    if _count(session.execute(ADVANCE, bound)) != 1:
        raise LostCursor


def shrink(session: Session, made: MadeBatch) -> bool:
    """Halve a batch that fails, at a boundary of positions, under a new id; False when it is down to one position.

    What is cut off is not lost: the cursor has not moved, so it is read again after this half.
    """
    positions = made.positions
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
