"""The next run of positions, read while the last one is on its way; and read once for all stores that are told alike.

Positions never change once they are given out, so a run read early is the run read late. What it cannot hold is a name
added meanwhile: that is told by its own carried decision (`person_identity`).
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

import structlog
from sqlalchemy import text

from consent.backfill.standing import Standing
from consent.feed.read_lines import is_told_by_lines, is_told_by_rows, read_lines
from consent.store_config import Basis, Store
from consent.stores.lines import Lines
from database.context import as_propagation
from database.keyring import KeyRing
from database.unit_of_work import Database

log = structlog.get_logger()

KEPT_RUNS = 16
FRESH_SECONDS = 30.0
READERS = 2
AHEAD = 2
"""So many runs are read, or being read, before the one that is on its way is answered."""
KEPT_OF_HEAD = 1_000
LONG_RUN = 20_000
"""So many positions of a backfill are read as a stream."""
_TOP = text("SELECT coalesce(max(position) + 1, 0) FROM position")
_Key = tuple[object, ...]


@dataclass(frozen=True)
class _Run:
    lines: Future[Lines | None]
    since: float


@dataclass
class _Head:
    """What came last, from `start` up to (not with) `stop`; `since`: when it was begun."""

    start: int
    stop: int
    since: float
    lines: Lines = field(default_factory=lambda: Lines.of(()))
    lock: Lock = field(default_factory=Lock)

    def begin_anew(self, start: int) -> None:
        self.start = self.stop = start
        self.since, self.lines = time.monotonic(), Lines.of(())

    def told_from(self, start: int, stop: int) -> Lines:
        positions = self.lines.positions
        return self.lines[bisect_left(positions, start) : bisect_left(positions, stop)]


class ReadAhead:
    """The runs of one process, for any number of senders. Only whole runs, which end where `run_end` says; and beside
    them the few positions at the head of the ledger, read once for all stores that are told alike.

    `patience`: seconds to wait for the first part of a backfill's stream. A decision may wait so long; where there is
    nothing else to do it is long.
    """

    def __init__(
        self, database: Database, ring: KeyRing, clock: Callable[[], datetime], *, patience: float = 0.1
    ) -> None:
        self._database, self._ring, self._clock, self._patience = database, ring, clock, patience
        self._pool: ThreadPoolExecutor | None = None
        self._runs: OrderedDict[_Key, _Run] = OrderedDict()
        self._begun: dict[str, Future[Lines | None]] = {}
        self._standing: dict[str, Standing] = {}
        self._heads: dict[_Key, _Head] = {}
        self._lock = Lock()

    def begin(self, store: Store, start: int, most: int) -> None:
        """Begin to read the run at `start` when it is the beginning of a whole one, and what comes after it; nobody
        waits for it."""
        if start % most or not is_told_by_lines(store):
            return
        with self._lock:
            self._begun[store.id] = self._run(store, start, start + most).lines
            for later in range(1, AHEAD):
                self._run(store, start + later * most, start + later * most + most)

    def _run(self, store: Store, start: int, stop: int) -> _Run:
        key = _key(store, start, stop)
        run = self._found(key)
        if run is None:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="read-ahead")
            run = self._runs[key] = _Run(self._pool.submit(self._read, store, start, stop), time.monotonic())
            if len(self._runs) > KEPT_RUNS:
                self._runs.popitem(last=False)
        return run

    def wait(self, store: Store) -> None:
        """Until what was begun for this store is read, well or not. Before a transaction, for the reader needs a
        connection of the same pool."""
        with self._lock:
            begun, standing = self._begun.pop(store.id, None), self._standing.get(store.id)
        if begun is not None:
            wait([begun])
        if standing is not None:
            standing.wait(self._patience)

    def begin_standing(self, store: Store, run: tuple[int, int], most: int, *, only_no: bool) -> bool:
        """Begin to read what stands in the run, for a backfill that goes on there, when it is a long one and that was
        not begun before. Whether to wait for it, and tell nothing else until then."""
        with self._lock:
            found = self._standing.get(store.id)
            if found is None or not found.is_of(store, run[1], most, only_no=only_no):
                if found is not None:
                    self._standing.pop(store.id).give_up()
                if run[1] - run[0] < LONG_RUN:
                    return False
                found = Standing(self._database, self._ring, store, run, most, only_no=only_no)
                self._standing[store.id] = found
        return found.comes and self._patience > 1

    def take_standing(self, store: Store, start: int, most: int) -> tuple[Lines, int] | None:
        """What begins at `start`, when it is read; see `Standing.take`."""
        with self._lock:
            standing = self._standing.get(store.id)
        return standing.take(start, most) if standing is not None else None

    def take(self, store: Store, start: int, stop: int) -> Lines | None:
        """The run, when it is read; None when nobody began it or it could not be read."""
        key = _key(store, start, stop)
        with self._lock:
            run = self._found(key)
        if run is None or not run.lines.done():
            return None
        try:
            lines = run.lines.result()
        except Exception as error:  # noqa: BLE001 - the sender reads it itself, and meets what is wrong
            log.warning("feed.not-read-ahead", store=store.id, error=type(error).__name__)
            lines = None
        if lines is None:
            with self._lock:
                self._runs.pop(key, None)
        return lines

    def head(self, store: Store, start: int, stop: int, read: Callable[[int, int], Lines]) -> Lines:
        """The positions `start` up to (not with) `stop`, the last of the ledger: of them `read` is asked for what no
        store that is told alike has read yet. A donor's code is made where it is read, and is nobody else's."""
        if store.basis is Basis.DONATION or stop - start > KEPT_OF_HEAD:
            return read(start, stop)
        with self._lock:
            head = self._heads.setdefault(_key(store, 0, 0), _Head(start, start, time.monotonic()))
        with head.lock:
            if start < head.start:
                return read(start, stop)
            if start > head.stop or time.monotonic() - head.since > FRESH_SECONDS or stop - head.start > KEPT_OF_HEAD:
                head.begin_anew(start)
            if stop > head.stop:
                head.lines = head.lines.and_then(read(head.stop, stop))
                head.stop = stop
            return head.told_from(start, stop)

    def close(self) -> None:
        for standing in self._standing.values():
            standing.give_up()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _found(self, key: _Key) -> _Run | None:
        run = self._runs.get(key)
        if run is not None and time.monotonic() - run.since > FRESH_SECONDS:
            del self._runs[key]
            return None
        return run

    def _read(self, store: Store, start: int, stop: int) -> Lines | None:
        """None while the ledger has not come to `stop`."""
        with self._database.begin(as_propagation()) as session:
            if int(session.scalar(_TOP) or 0) < stop:
                return None
            return read_lines(session, self._ring, store, start, stop, self._clock())


def run_end(start: int, most: int) -> int:
    """Where a run that begins at `start` ends when more than that is to tell: at a multiple of `most`, so that stores
    which are at different places soon read the same runs."""
    return start - start % most + most


def _key(store: Store, start: int, stop: int) -> _Key:
    """Stores with an equal key are told the same lines; those of an effort know people by codes of their own."""
    if store.basis is Basis.DONATION:
        return (store.id, start, stop)
    return (is_told_by_rows(store), store.identifier_system, store.practices, start, stop)
