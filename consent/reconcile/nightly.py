"""When each store's turn has come: once a night, and at the latest after 26 hours."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import text

from consent.reconcile.run import reconcile
from consent.store_config import Store
from consent.stores.adapter import StoreAdapter
from database.context import as_propagation
from database.unit_of_work import Database

log = structlog.get_logger()

HOURS = range(2, 5)
"""The night, in UTC: the hours in which a run may begin."""
NOT_AGAIN_FOR = timedelta(hours=20)
AT_THE_LATEST = timedelta(hours=26)
_LAST = text(
    "SELECT s.id, coalesce(max(r.began_at), s.added_at) AS since FROM store s"
    " LEFT JOIN reconciliation r ON r.store_id = s.id WHERE s.id = ANY (:stores) GROUP BY s.id, s.added_at"
)


def is_due(since: datetime, now: datetime) -> bool:
    """Whether a store last looked at (or added) at `since` is looked at now. Times are in UTC."""
    gone = now - since
    return gone >= AT_THE_LATEST or (gone >= NOT_AGAIN_FOR and now.hour in HOURS)


class Nightly:
    """Reconciles the stores whose turn has come, one after the other, in the feed's own thread for it."""

    def __init__(
        self,
        database: Database,
        stores: Sequence[Store],
        adapter: Callable[[Store], StoreAdapter],
        clock: Callable[[], datetime],
        stop: threading.Event,
    ) -> None:
        self._database, self._adapter, self._clock, self._stop = database, adapter, clock, stop
        self._stores: Mapping[str, Store] = {store.id: store for store in stores if store.is_told}

    def look(self, now: datetime) -> int:
        """Reconcile what is due; returns how many were looked at. A store that fails costs the others nothing."""
        with self._database.begin(as_propagation()) as session:
            rows = session.execute(_LAST, {"stores": list(self._stores)}).all()
        done = 0
        for row in rows:
            if self._stop.is_set():
                break
            if is_due(row.since, now):
                self._one(self._stores[row.id])
                done += 1
        return done

    def _one(self, store: Store) -> None:
        adapter = self._adapter(store)
        try:
            reconcile(self._database, adapter, self._clock)
        except Exception as error:  # noqa: BLE001 - the other stores are to be looked at
            log.error("reconcile.failed", store=store.id, error=type(error).__name__)  # noqa: TRY400 - a trace names people
        finally:
            close = getattr(adapter, "close", None)
            if close is not None:
                close()
