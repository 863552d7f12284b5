"""What one store would not take: set aside alone, alarmed, tried again for ever; the others go on (SUB-07)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from consent.feed.batches import MadeBatch, pass_over
from consent.feed.keep_receipts import close_task, keep_receipts, open_task
from consent.feed.rebuild import rebuild_events
from consent.store_config import Store
from consent.stores.adapter import BatchAnswer
from consent.tables import ParkedItem
from consent.wire import StoreEvent
from database.keyring import KeyRing

_DUE = text(
    "SELECT id, position, event_number, attempts FROM parked_item WHERE store_id = :store AND resolved_at IS NULL"
    " AND next_try_at <= :now ORDER BY position DESC LIMIT 1"
)
_AGAIN = text("UPDATE parked_item SET attempts = attempts + 1, reason = :reason, next_try_at = :next WHERE id = :id")
_RESOLVE = text("UPDATE parked_item SET resolved_at = :now WHERE id = :id AND resolved_at IS NULL")
_BATCH = text(
    "SELECT id, positions, first_event FROM (SELECT * FROM store_batch WHERE store_id = :store"
    " AND first_event <= :event ORDER BY first_event DESC LIMIT 1) b WHERE last_event >= :event"
)


@dataclass(frozen=True)
class Parked:
    """One parked position with its events rebuilt under the numbers they were given."""

    id: int
    attempts: int
    batch_id: UUID
    events: tuple[StoreEvent, ...]

    @property
    def message_id(self) -> str:
        return f"parked-{self.batch_id}-{self.events[0].number}"

    @property
    def is_readable(self) -> bool:
        return all(event.is_readable for event in self.events)


def park(
    session: Session, store: Store, made: MadeBatch, reason: str, attempts: int, next_try: datetime, now: datetime
) -> None:
    """Set the one position of `made` aside and move on. It keeps its numbers; a person is asked to look."""
    first = made.events[0]
    values = {
        "event_number": first.number,
        "reason": reason,
        "attempts": attempts,
        "parked_at": now,
        "next_try_at": next_try,
        "resolved_at": None,
    }
    row = {"store_id": store.id, "person_id": first.person_id, "position": first.position, **values}
    again = (
        pg_insert(ParkedItem).values(row).on_conflict_do_update(index_elements=["store_id", "position"], set_=values)
    )
    session.execute(again)  # it may have been parked before, when it was told for the first time
    open_task(session, store, first.person_id, "parked", first.number, now)
    pass_over(session, store, made, now)


def next_parked(session: Session, ring: KeyRing, store: Store, now: datetime) -> Parked | None:
    """The newest parked item whose time has come: a later no is never held up by an earlier yes."""
    row = session.execute(_DUE, {"store": store.id, "now": now}).one_or_none()
    if row is None:
        return None
    batch = session.execute(_BATCH, {"store": store.id, "event": row.event_number}).one()
    count = sum(1 for position in batch.positions if position == row.position)
    events = rebuild_events(session, ring, store, [row.position] * count, row.event_number, now)
    return Parked(row.id, row.attempts, batch.id, tuple(events))


def resolve(session: Session, store: Store, parked: Parked, answer: BatchAnswer, now: datetime) -> None:
    """The store took it at last: the task that asked a person to look is done."""
    session.execute(_RESOLVE, {"id": parked.id, "now": now})
    close_task(session, store, "parked", parked.events[0].number, now)
    keep_receipts(session, store, parked.batch_id, parked.events, answer, now, whole=False)


def try_later(session: Session, parked: Parked, reason: str, next_try: datetime) -> None:
    session.execute(_AGAIN, {"id": parked.id, "reason": reason, "next": next_try})
