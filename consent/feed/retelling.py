"""What a store is told beside the stream: a backfill of what stands, and what reconciliation found lost there.

Both go out as batches of their own, with new event numbers and between those of the stream, so that no new decision
waits for them. A store tells such an event from a retry by its number: of the same version a higher number means "make
it so again". What was told is left behind in the transaction that keeps the receipts, so a kill costs one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CursorResult, text
from sqlalchemy.orm import Session

from consent.feed.pace import Pace
from consent.feed.read_ahead import ReadAhead
from consent.feed.read_events import Told, read_events_at, read_standing, standing_positions
from consent.feed.read_lines import is_told_by_lines, read_lines_at
from consent.store_config import Basis, Store, Transport
from consent.stores.lines import Lines
from database.keyring import KeyRing

REPAIRS_AT_ONCE = 500
WINDOW = 200_000
"""Positions looked through at once; what stands may be sparse, and a statement has its time limit."""
_LARGEST = {Transport.NDJSON: 4_000, Transport.BACKPORT: 1_000, Transport.NATIVE: 5_000}

_REPAIRS = text("SELECT position FROM store_retelling WHERE store_id = :store ORDER BY position LIMIT :most")
_REPAIRED = text("DELETE FROM store_retelling WHERE store_id = :store AND position = ANY (:positions)")
_BACKFILL = text(
    "SELECT next_position, stop_position, only_no FROM store_backfill WHERE store_id = :store AND finished_at IS NULL"
)
FILLED = text(
    "UPDATE store_backfill SET next_position = :after, told = told + :told,"
    " finished_at = CASE WHEN :after >= stop_position THEN CAST(:now AS timestamptz) END"
    " WHERE store_id = :store AND next_position = :before AND finished_at IS NULL"
)


class Purpose(StrEnum):
    """Why a batch was made."""

    STREAM = "stream"
    BACKFILL = "backfill"
    REPAIR = "repair"


@dataclass(frozen=True)
class Retold:
    """What to tell next, not yet numbered; from `start` up to (not with) `stop` nothing is left to tell after it."""

    purpose: Purpose
    start: int
    stop: int
    told: Sequence[Told] | Lines


def next_repair(session: Session, ring: KeyRing, store: Store, now: datetime) -> Retold | None:
    """The lowest positions that wait to be told again. One that has nobody to be told of any more is dropped."""
    positions = list(session.scalars(_REPAIRS, {"store": store.id, "most": REPAIRS_AT_ONCE}))
    if not positions:
        return None
    told = read_events_at(session, ring, store, positions, now)
    if not told:
        session.execute(_REPAIRED, {"store": store.id, "positions": positions})
    return Retold(Purpose.REPAIR, positions[0], positions[-1] + 1, tuple(told))


def next_of_backfill(
    session: Session, ring: KeyRing, store: Store, now: datetime, pace: Pace, ahead: ReadAhead | None = None
) -> Retold | None:
    """The next part of an unfinished backfill: what stood at its position, by rising position of the decision."""
    row = session.execute(_BACKFILL, {"store": store.id}).one_or_none()
    if row is None:
        return None
    part, most = _part(store, pace), most_at_once(store, pace)
    streams = is_told_by_lines(store) and store.basis is Basis.OPERATIONS  # a donor's code is made where it is read
    told: Sequence[Told] | Lines
    found = ahead.take_standing(store, row.next_position, most) if ahead is not None and streams else None
    if found is not None:
        told, stop = found
    else:
        whole = (row.next_position, row.stop_position)
        if ahead is not None and streams and ahead.begin_standing(store, whole, part, only_no=row.only_no):
            return None
        run = (row.next_position, min(row.next_position + WINDOW, row.stop_position))
        told, stop = _read_standing(session, ring, store, run, row, most, now, by_lines=streams)
    if not told:
        move_backfill(session, store, row.next_position, stop, 0, now)
    return Retold(Purpose.BACKFILL, row.next_position, stop, told)


def most_at_once(store: Store, pace: Pace) -> int:
    """How many decisions are told in one batch of a backfill. A store of lines is told of twice as many as in the
    stream, which has found out how quick it is."""
    part = _part(store, pace)
    return min(part, 2 * pace.batch) if store.transport is Transport.NDJSON else part


def _part(store: Store, pace: Pace) -> int:
    return min(pace.backfill, _LARGEST[store.transport])


def _read_standing(
    session: Session,
    ring: KeyRing,
    store: Store,
    run: tuple[int, int],
    row: Any,
    most: int,
    now: datetime,
    *,
    by_lines: bool,
) -> tuple[Sequence[Told] | Lines, int]:
    """By keys, with no more before it than these lines need."""
    if not by_lines:
        return read_standing(session, ring, store, run, row.stop_position, now, most=most, only_no=row.only_no)
    found, stop = standing_positions(session, store, run, row.stop_position, most=most, only_no=row.only_no)
    return (read_lines_at(session, ring, store, found) if found else ()), stop


def leave_behind(
    session: Session, store: Store, purpose: Purpose, start: int, stop: int, positions: Sequence[int], now: datetime
) -> bool:
    """Note that a batch of this purpose is settled; False when another sender was here first."""
    if purpose is Purpose.REPAIR:
        session.execute(_REPAIRED, {"store": store.id, "positions": list(positions)})
        return True
    return move_backfill(session, store, start, stop, len(positions), now)


def move_backfill(session: Session, store: Store, before: int, after: int, told: int, now: datetime) -> bool:
    bound: dict[str, Any] = {"store": store.id, "before": before, "after": after, "told": told, "now": now}
    changed = session.execute(FILLED, bound)
    assert isinstance(changed, CursorResult)
    return changed.rowcount == 1
