"""A backfill from its beginning, or from where it was killed, to its end, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from consent.backfill.begin import Backfill, Order, begin_backfill, read_backfill
from consent.feed.lease import Leases
from consent.feed.pace import Pace
from consent.feed.read_ahead import ReadAhead
from consent.feed.sender import Sender, Step
from consent.stores.adapter import StoreAdapter
from database.context import as_propagation
from database.keyring import KeyRing
from database.unit_of_work import Database
from vocabulary.errors import Conflict

PATIENCE = 600.0
LOOK_SECONDS = 1.0
"""So often it is looked how far it is, while batches are told."""
_STOPS = (Step.WAITING, Step.FAILED, Step.PAUSED)


def backfill(
    database: Database,
    ring: KeyRing,
    adapter: StoreAdapter,
    clock: Callable[[], datetime],
    pace: Pace | None = None,
    progress: Callable[[Backfill], None] = lambda _: None,
    order: Order | None = None,
) -> Backfill:
    """Tell the adapter's store all that stands, and return how far it came: `is_done` False when the store stopped
    taking it, or is paused. Called again it goes on there; so does the feed. Killed at any point nothing is lost: at
    most one batch is told twice, under the same numbers.

    `progress` is called once a second and at the end; `order` is who asked for it, for the audit.
    Conflict("feed-is-sending") while a feed process holds the store's lease: begin it then, and the feed does it.
    Memory is that of a few batches, whatever the number of people.
    """
    leases, ahead = Leases(database), ReadAhead(database, ring, clock, patience=PATIENCE)
    try:
        if not leases.hold(adapter.store.id):
            raise Conflict("feed-is-sending")
        found = begin_backfill(database, adapter.store, clock(), order)
        sender = Sender(database, ring, adapter, clock, pace or Pace(), ahead=ahead)
        looked_at = time.monotonic()
        while not found.is_done:
            step = sender.step(onward=True)
            if step is Step.SENT and time.monotonic() - looked_at < LOOK_SECONDS:
                continue
            found, looked_at = _now(database, found), time.monotonic()
            progress(found)
            if step in _STOPS:
                break
        return found
    finally:
        ahead.close()
        leases.close()


def _now(database: Database, before: Backfill) -> Backfill:
    with database.begin(as_propagation()) as session:
        return read_backfill(session, before.store_id) or before
