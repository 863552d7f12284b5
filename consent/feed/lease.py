"""One sender per store among any number of processes: session-level advisory locks on one connection."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from database.unit_of_work import Database

LOCK_SPACE = 7_015
SEEN_SECONDS = 1.0
_TAKE = text("SELECT pg_try_advisory_lock(:space, hashtext(:store))")
_FREE = text("SELECT pg_advisory_unlock_all()")
_ALIVE = text("SELECT 1")


class Leases:
    """The leases of one process. They end with its connection, so a killed process frees them at once.

    A lease spares useless work; what keeps order is the cursor, which only moves from where it was read.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._held: set[str] = set()
        self._seen_at = float("-inf")
        self._lock = threading.Lock()

    def hold(self, store_id: str) -> bool:
        """Whether this process holds the store's lease now; takes it when free."""
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
                    self._held.clear()
                if store_id in self._held:
                    self._see_that_it_lives()
                elif self._connection.scalar(_TAKE, {"space": LOCK_SPACE, "store": store_id}):
                    self._held.add(store_id)
                return store_id in self._held
            except SQLAlchemyError:
                self._drop()
                return False

    def _see_that_it_lives(self) -> None:
        """Now and then: many senders ask, and a lease that is lost unseen costs no more than useless work."""
        assert self._connection is not None
        if time.monotonic() - self._seen_at >= SEEN_SECONDS:
            self._connection.execute(_ALIVE)
            self._seen_at = time.monotonic()

    def close(self) -> None:
        """Give the leases back: who asks after this has them."""
        with self._lock:
            if self._connection is not None:
                with suppress(SQLAlchemyError):
                    self._connection.execute(_FREE)
            self._drop()

    def _drop(self) -> None:
        self._held.clear()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()  # never back to the pool: the locks end with the connection
            connection.close()
