"""A store's cursor and batches in the database: made before they are sent, settled when they are answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CursorResult, insert, text
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from consent.audit_tables import StaffTask
from consent.feed.read_events import numbered, read_events
from consent.receipts import StoreReceipt
from consent.store_config import Store
from consent.stores.adapter import BatchAnswer
from consent.tables import Receipt, StoreBatch
from consent.wire import StoreEvent
from database.keyring import KeyRing

_CURSOR = text("SELECT position, event_number, failures, next_try_at FROM store_cursor WHERE store_id = :store")
_TOP = text("SELECT coalesce(max(position) + 1, 0) FROM position")
_WAITING = text(
    "SELECT id, first_event, last_event, first_position, last_position, positions FROM store_batch"
    " WHERE store_id = :store AND first_position >= :cursor AND answered_at IS NULL ORDER BY first_event LIMIT 1"
)
_ADVANCE = text(
    "UPDATE store_cursor SET position = :after, event_number = :event, failures = 0, last_error = NULL,"
    " next_try_at = NULL, updated_at = :now WHERE store_id = :store AND position = :before"
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
    """`position`: everything below is answered or parked. `event_number`: the last number given out and settled."""

    position: int
    event_number: int
    failures: int
    next_try_at: datetime | None


@dataclass(frozen=True)
class MadeBatch:
    """A batch in the database with its events rebuilt; the same row gives the same bytes on every try."""

    id: UUID
    first_event: int
    first_position: int
    last_position: int
    events: tuple[StoreEvent, ...]

    @property
    def last_event(self) -> int:
        return self.first_event + len(self.events) - 1


def read_cursor(session: Session, store: Store) -> Cursor:
    row = session.execute(_CURSOR, {"store": store.id}).one()
    return Cursor(row.position, row.event_number, row.failures, row.next_try_at)


def next_batch(
    session: Session, ring: KeyRing, store: Store, cursor: Cursor, now: datetime, most: int
) -> MadeBatch | None:
    """The batch to send now: the one that waits for its answer, else a new one; None when all is told.

    Runs of positions that do not concern the store are passed over here, with no batch.
    """
    waiting = session.execute(_WAITING, {"store": store.id, "cursor": cursor.position}).one_or_none()
    if waiting is not None:
        return _rebuild(session, ring, store, waiting, now)
    top = int(session.scalar(_TOP) or 0)
    start, stop = cursor.position, min(cursor.position + most, top)
    if start >= stop:
        return None
    told = read_events(session, ring, store, start, stop, now)
    if not told:
        _advance(session, store, start, stop, cursor.event_number, now)
        return None
    events = numbered(told, store, cursor.event_number + 1)
    made = MadeBatch(uuid4(), events[0].number, start, stop - 1, tuple(events))
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
    }


def _rebuild(session: Session, ring: KeyRing, store: Store, row: Any, now: datetime) -> MadeBatch:
    """The events of a stored batch: what each position had when it was made, by the k-th name of its person."""
    events = rebuild_events(session, ring, store, list(row.positions), row.first_event, now)
    return MadeBatch(row.id, row.first_event, row.first_position, row.last_position, tuple(events))


def rebuild_events(
    session: Session, ring: KeyRing, store: Store, positions: Sequence[int], first_event: int, now: datetime
) -> list[StoreEvent]:
    told = read_events(session, ring, store, positions[0], positions[-1] + 1, now)
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
    _advance(session, store, made.first_position, made.last_position + 1, made.last_event, now)


def pass_over(session: Session, store: Store, made: MadeBatch, now: datetime) -> None:
    """Leave a parked batch behind without a receipt."""
    if _count(session.execute(_ANSWERED, {"id": made.id, "now": now})) != 1:
        raise LostCursor
    _advance(session, store, made.first_position, made.last_position + 1, made.last_event, now)


def _advance(session: Session, store: Store, before: int, after: int, event: int, now: datetime) -> None:
    bound = {"store": store.id, "before": before, "after": after, "event": event, "now": now}
    if _count(session.execute(_ADVANCE, bound)) != 1:
        raise LostCursor


def keep_receipts(
    session: Session,
    store: Store,
    batch_id: UUID,
    events: Sequence[StoreEvent],
    answer: BatchAnswer,
    now: datetime,
    *,
    whole: bool,
) -> None:
    """One row for the batch with every event's compact receipt in it, and a row for each that is not final.

    `whole` False (a parked item at last taken): rows for its events only. What a store could not place opens a task.
    """
    person = {event.number: event.decision.person_id for event in events}
    rows = [] if not whole else [_batch_receipt(store, batch_id, answer, now)]
    for receipt in answer.receipts:
        if not receipt.state.confirms or not whole:
            rows.append(receipt_row(store, batch_id, receipt, answer.signature, now))
        if receipt.state.needs_staff:
            open_task(session, store, person.get(receipt.event), receipt.state.value, receipt.event, now)
    if rows:
        session.execute(insert(Receipt), rows)


def _batch_receipt(store: Store, batch_id: UUID, answer: BatchAnswer, now: datetime) -> dict[str, Any]:
    final = all(receipt.state.confirms for receipt in answer.receipts)
    return {
        "store_id": store.id,
        "batch_id": batch_id,
        "event_number": None,
        "version": None,
        "state": "applied" if final else "mixed",
        "removed": sum(receipt.removed or 0 for receipt in answer.receipts),
        "detail": {"receipts": [receipt.as_detail() for receipt in answer.receipts]},
        "signature": answer.signature,
        "received_at": now,
    }


def receipt_row(store: Store, batch_id: UUID, receipt: StoreReceipt, signature: str, now: datetime) -> dict[str, Any]:
    return {
        "store_id": store.id,
        "batch_id": batch_id,
        "event_number": receipt.event,
        "version": receipt.version,
        "state": receipt.state.value,
        "removed": receipt.removed,
        "detail": receipt.as_detail(),
        "signature": signature,
        "received_at": now,
    }


def open_task(session: Session, store: Store, person: UUID | None, kind: str, event: int, now: datetime) -> None:
    """Something only a person can settle."""
    session.execute(
        insert(StaffTask).values(
            id=uuid4(),
            person_id=person,
            practice_id=None,
            store_id=store.id,
            kind=f"store-{kind}",
            detail={"event": event},
            opened_at=now,
        )
    )


def note_failure(session: Session, store: Store, failures: int, reason: str, next_try: datetime, now: datetime) -> None:
    bound = {"store": store.id, "failures": failures, "error": reason, "next": next_try, "now": now}
    session.execute(_FAILED, bound)


def shrink(session: Session, made: MadeBatch) -> bool:
    """Halve a batch that fails, at a boundary of positions, under a new id; False when it is down to one position.

    What is cut off is not lost: the cursor has not moved, so it is read again after this half.
    """
    positions = [event.position for event in made.events]
    pivot = positions[len(positions) // 2]
    kept = [position for position in positions if position < pivot] or [
        position for position in positions if position == positions[0]
    ]
    if len(kept) == len(positions):
        return False
    bound = {
        "id": made.id,
        "new": uuid4(),
        "last_event": made.first_event + len(kept) - 1,
        "last_position": kept[-1],
        "positions": kept,
    }
    return _count(session.execute(_SHRINK, bound)) == 1


def _count(result: object) -> int:
    assert isinstance(result, CursorResult)
    return int(result.rowcount)
