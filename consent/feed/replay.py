"""Sends a store events that it was sent before, under the same numbers: for one that lost what it had.

The cursor is neither read nor moved: the sender goes on by itself meanwhile. The store does nothing twice, by version
(SUB-07, SUB-09). A replay that was cut off is begun again, from the number that it had come to or from the start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import CursorResult, text
from sqlalchemy.orm import Session

from consent.audit import Audited, write_audit
from consent.feed.keep_receipts import keep_receipts
from consent.feed.pause import open_pause
from consent.feed.rebuild import rebuild_events
from consent.store_config import Store
from consent.stores.adapter import Batch, BatchAnswer, StoreAdapter
from consent.wire import StoreEvent
from database.context import as_propagation
from database.keyring import KeyRing
from database.unit_of_work import Database
from vocabulary.errors import Conflict, Invalid

AT_ONCE = 1_000

_LAST = text("SELECT event_number FROM store_cursor WHERE store_id = :store")
_NEXT = text(
    "SELECT id, first_event, positions FROM store_batch WHERE store_id = :store AND last_event >= :first"
    " AND answered_at IS NOT NULL ORDER BY first_event LIMIT 1"
)
# A parked event is told by its own retry, and by nothing else.
_PARKED = text(
    "SELECT position FROM parked_item WHERE store_id = :store AND resolved_at IS NULL AND position = ANY (:positions)"
)
_UNCONFIRMED = text(
    "SELECT event_number FROM unconfirmed_event WHERE store_id = :store AND event_number = ANY (:events)"
)
_RELEASE = text(
    "UPDATE parked_item SET next_try_at = :now WHERE store_id = :store AND resolved_at IS NULL"
    " AND event_number >= :first AND event_number <= :last"
)


@dataclass(frozen=True)
class Replayed:
    """So far: events sent again, up to the event number `last`, and how many of them the store confirmed."""

    events: int
    last: int
    confirmed: int


@dataclass(frozen=True)
class _Piece:
    """What is left of one batch in the range: its id, the events to send, and the last number it reaches."""

    batch_id: Any
    events: tuple[StoreEvent, ...]
    last: int


def replay(
    database: Database, ring: KeyRing, adapter: StoreAdapter, first: int, last: int | None, who: str, now: datetime
) -> Iterator[Replayed]:
    """Send the events `first` to `last` (None: the newest answered) again, batch by batch; yields after each.

    `database` is the worker's login. Raises NotDelivered when the store does not take one, Conflict while it is
    paused, Invalid for a range that runs backwards. An event that is parked or whose name cannot be opened is left
    out. Receipts are kept where they say something new.
    """
    store = adapter.store
    if first < 1 or (last is not None and last < first):
        raise Invalid("range-runs-backwards", {"to": "before-from"})
    with database.begin(as_propagation()) as session:
        if open_pause(session, store.id) is not None:
            raise Conflict("paused")
        newest = int(session.scalar(_LAST, {"store": store.id}) or 0)
        stop = newest if last is None else min(last, newest)
        detail = {"store": store.id, "first": first, "last": stop, "count": max(0, stop - first + 1)}
        write_audit(session, now, Audited(None, "store.replayed", "E", "operator", actor_reference=who, detail=detail))
    done = Replayed(0, first - 1, 0)
    while (piece := _next_piece(database, ring, store, done.last + 1, stop, now)) is not None:
        confirmed = 0
        for start in range(0, len(piece.events), AT_ONCE):
            part = piece.events[start : start + AT_ONCE]
            answer = adapter.deliver(Batch(f"replay-{uuid4()}", part))
            with database.begin(as_propagation()) as session:
                _keep(session, store, piece.batch_id, part, answer, now)
            confirmed += sum(receipt.state.confirms for receipt in answer.receipts)
        done = Replayed(done.events + len(piece.events), piece.last, done.confirmed + confirmed)
        yield done


def _next_piece(database: Database, ring: KeyRing, store: Store, first: int, stop: int, now: datetime) -> _Piece | None:
    if first > stop:
        return None
    with database.begin(as_propagation()) as session:
        row = session.execute(_NEXT, {"store": store.id, "first": first}).one_or_none()
        if row is None or row.first_event > stop:
            return None
        positions = list(row.positions)
        parked = set(session.scalars(_PARKED, {"store": store.id, "positions": positions}))
        events = rebuild_events(session, ring, store, positions, row.first_event, now)
    end = min(row.first_event + len(positions) - 1, stop)
    wanted = [event for event in events if first <= event.number <= end]
    sent = tuple(event for event in wanted if event.is_readable and event.position not in parked)
    return _Piece(row.id, sent, end)


def _keep(
    session: Session, store: Store, batch_id: Any, events: Sequence[StoreEvent], answer: BatchAnswer, now: datetime
) -> None:
    """Keep the receipts of events that were not confirmed before, or are not now; the others are there already."""
    bound = {"store": store.id, "events": [event.number for event in events]}
    open_before = set(session.scalars(_UNCONFIRMED, bound))
    news = [receipt for receipt in answer.receipts if not receipt.state.confirms or receipt.event in open_before]
    told = {receipt.event for receipt in news}
    if told:
        chosen = [event for event in events if event.number in told]
        keep_receipts(session, store, batch_id, chosen, BatchAnswer(tuple(news), answer.signature), now, whole=False)


def release_parked(session: Session, store: Store, first: int, last: int | None, now: datetime) -> int:
    """Have the sender try the parked items of a range at its next look; returns how many. For the propagation role."""
    bound = {"store": store.id, "first": first, "last": last if last is not None else 2**62, "now": now}
    changed = session.execute(_RELEASE, bound)
    assert isinstance(changed, CursorResult)
    return int(changed.rowcount)
