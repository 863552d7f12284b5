"""How one store stands, by one statement: where its cursor is, how its channel fares, and what there is to do."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.feed.channel import Channel, ChannelState
from consent.feed.cursor import CURSOR_COLUMNS, FILLING, REPAIRS, TOP, Cursor
from consent.store_config import Store

_STANDS = (
    "EXISTS (SELECT FROM store_pause p WHERE p.store_id = {store} AND p.ended_at IS NULL) AS paused,"
    " EXISTS (SELECT FROM parked_item i WHERE i.store_id = {store} AND i.resolved_at IS NULL"
    "  AND i.next_try_at <= :now) AS parked"
)
# What `to_do_after` takes: of the store `:store`, for a statement that moves its cursor.
TO_DO_COLUMNS = f"{REPAIRS}, {FILLING}, {TOP}, {_STANDS}".format(store=":store")
_READ = text(
    f"SELECT {CURSOR_COLUMNS}, {_STANDS.format(store='c.store_id')}, h.state, h.greeted, h.heard_at"  # noqa: S608 - constants
    " FROM store_cursor c LEFT JOIN store_channel h ON h.store_id = c.store_id WHERE c.store_id = :store"
)


@dataclass(frozen=True)
class ToDo:
    """`parked`: a parked item's time has come."""

    cursor: Cursor
    paused: bool
    parked: bool

    @property
    def behind(self) -> bool:
        """Whether something of the ledger may be there to tell."""
        return self.cursor.position < self.cursor.top or self.cursor.repairs or self.cursor.filling


@dataclass(frozen=True)
class StoreState(ToDo):
    """What there is to do, and how the channel fares."""

    channel: Channel

    def waits(self, now: datetime) -> bool:
        """Whether the next try is still to come."""
        return self.cursor.next_try_at is not None and self.cursor.next_try_at > now


def read_state(session: Session, store: Store, now: datetime) -> StoreState:
    """Reads no row of the ledger and locks nothing, so that an idle look costs no flush."""
    row = session.execute(_READ, {"store": store.id, "now": now}).one()
    cursor = Cursor(*row[: len(fields(Cursor))])
    channel = Channel(ChannelState.REQUESTED, None, None)
    if row.state is not None:
        channel = Channel(ChannelState(row.state), row.greeted, row.heard_at)
    return StoreState(cursor, row.paused, row.parked, channel)


def to_do_after(position: int, event_number: int, row: Any) -> ToDo:
    """The same after the cursor was moved there and its batch answered: `row` begins with TO_DO_COLUMNS. No batch
    waits, for none is made before the last one is answered."""
    repairs, filling, top, paused, parked = row[:5]
    return ToDo(Cursor(position, event_number, 0, None, repairs, filling, waiting=False, top=top), paused, parked)
