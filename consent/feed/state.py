"""How one store stands, by one statement: where its cursor is, how its channel fares, and what there is to do."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.feed.channel import Channel, ChannelState
from consent.feed.cursor import CURSOR_COLUMNS, Cursor
from consent.store_config import Store

_READ = text(
    f"SELECT {CURSOR_COLUMNS},"  # noqa: S608 - constants
    " EXISTS (SELECT FROM store_pause p WHERE p.store_id = c.store_id AND p.ended_at IS NULL) AS paused,"
    " EXISTS (SELECT FROM parked_item i WHERE i.store_id = c.store_id AND i.resolved_at IS NULL"
    "  AND i.next_try_at <= :now) AS parked,"
    " h.state, h.greeted, h.heard_at"
    " FROM store_cursor c LEFT JOIN store_channel h ON h.store_id = c.store_id WHERE c.store_id = :store"
)


@dataclass(frozen=True)
class StoreState:
    """`parked`: a parked item's time has come. `behind`: something of the ledger may be there to tell."""

    cursor: Cursor
    channel: Channel
    paused: bool
    parked: bool
    behind: bool

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
    behind = cursor.position < cursor.top or cursor.repairs or cursor.filling
    return StoreState(cursor, channel, row.paused, row.parked, behind)
