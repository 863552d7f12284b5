"""What stands, for a long backfill: one statement joins all of it by hash and comes as a stream, a part at a time.

A part is what one batch tells at most, each column as one text (`read_lines.NAMED_COLUMNS`); a thread of its own reads
it and opens the names while the store takes the part before. It may be given up at any time: who asks then reads by
keys.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from queue import Empty, Full, Queue
from threading import Event, Thread

import structlog
from sqlalchemy import TextClause, text

from consent.feed.read_events import CONCERNS
from consent.feed.read_lines import AS_INSTANT, AS_STAMP, NAMED_COLUMNS, REACHES, is_told_by_rows, of_store, opened
from consent.store_config import Store
from consent.stores.lines import Lines
from database.context import as_propagation
from database.keyring import KeyRing
from database.unit_of_work import Database

log = structlog.get_logger()

PARTS_AHEAD = 1
GIVEN_UP_SECONDS = 60.0
FLOWING_SECONDS = 5.0
# The whole is read: no plan for the first rows of it, and none by keys, whatever the planner believes of the share of
# names that reach a store. And a statement may take as long as that takes.
_PATIENTLY = text(
    "SELECT set_config('statement_timeout', '15min', true), set_config('cursor_tuple_fraction', '1', true),"
    " set_config('enable_nestloop', 'off', true), set_config('work_mem', '64MB', true), set_config('jit', 'off', true)"
)
_Part = tuple[int, int, Lines]


class Standing:
    """The parts of one store's backfill from `start` on, up to (not with) `stop`, a multiple of `most` positions each.

    `only_no` as `read_standing` has it.
    """

    def __init__(
        self, database: Database, ring: KeyRing, store: Store, run: tuple[int, int], most: int, *, only_no: bool
    ) -> None:
        self._database, self._ring, self._store, self._run, self._most = database, ring, store, run, most
        self._only_no = only_no
        self._of = (store, run[1], most, only_no)
        self._parts: Queue[_Part] = Queue(PARTS_AHEAD)
        self._current: _Part | None = None
        self._given_up, self._flows = Event(), Event()
        self._thread = Thread(target=self._read, name=f"standing-{store.id}", daemon=True)
        self._thread.start()

    def is_of(self, store: Store, stop: int, most: int, *, only_no: bool) -> bool:
        """Whether this is the one for such a backfill."""
        return self._of == (store, stop, most, only_no)

    @property
    def comes(self) -> bool:
        """Whether there is something to wait for."""
        return self._thread.is_alive() or not self._parts.empty()

    def wait(self, first_seconds: float) -> None:
        """Until a part is there, or there is none to come. The whole join comes before the first: `first_seconds` is
        how long to wait for that at most."""
        until = time.monotonic() + (FLOWING_SECONDS if self._flows.is_set() else first_seconds)
        while self._parts.empty() and self._thread.is_alive() and time.monotonic() < until:
            time.sleep(0.002)

    def take(self, start: int, most: int) -> tuple[Lines, int] | None:
        """What is to be told of up to `most` positions from `start` on, and the position up to which (not with) that is
        all; None when it is not there. Asked again it gives the same."""
        while self._current is None or self._current[1] <= start:
            try:
                self._current = self._parts.get_nowait()
            except Empty:
                return None
        first, stop, lines = self._current
        if start < first:
            return None
        stop = min(stop, start + most)
        return lines[bisect_left(lines.positions, start) : bisect_left(lines.positions, stop)], stop

    def give_up(self) -> None:
        self._given_up.set()

    def _read(self) -> None:
        try:
            for part in self._stream():
                deadline = time.monotonic() + GIVEN_UP_SECONDS
                while not self._put(part):
                    if self._given_up.is_set() or time.monotonic() > deadline:
                        return
        except Exception as error:  # noqa: BLE001 - the sender reads by keys, and meets what is wrong
            log.warning("feed.not-read-ahead", store=self._store.id, error=type(error).__name__)

    def _put(self, part: _Part) -> bool:
        with suppress(Full):
            self._parts.put(part, timeout=0.25)
            self._flows.set()
            return True
        return False

    def _stream(self) -> Iterator[_Part]:
        came, stop = self._run
        bound = {"start": came, "stop": stop, "most": self._most, "only_no": self._only_no, **of_store(self._store)}
        statement = _standing(rows=is_told_by_rows(self._store))
        with self._database.begin(as_propagation()) as session:
            session.execute(_PATIENTLY)
            for part, *columns in session.execute(statement, bound, execution_options={"yield_per": 1}):
                end = min((part + 1) * self._most, stop)
                yield came, end, opened(self._ring, columns, self._store)
                came = end
        if came < stop:
            yield came, stop, Lines.of(())


@cache
def _standing(*, rows: bool) -> TextClause:
    recorded = AS_STAMP if rows else AS_INSTANT
    return text(
        f"SELECT position / :most AS part, {NAMED_COLUMNS} FROM (SELECT q.position, d.version, q.person_id, a.alias,"  # noqa: S608 - constants; values are bound
        f" a.created_at, a.system, a.value_sealed, d.answer, {recorded} AS recorded FROM position q"
        " JOIN decision d ON d.id = q.decision_id JOIN (SELECT id AS alias, person_id, created_at, system, value_sealed"
        f"  FROM person_alias WHERE {REACHES}) a ON a.person_id = q.person_id"
        f" WHERE q.position >= :start AND q.position < :stop AND (NOT :only_no OR d.answer = 'no') AND {CONCERNS}"
        " AND NOT EXISTS (SELECT FROM position later JOIN decision e ON e.id = later.decision_id"
        "  WHERE later.person_id = q.person_id AND later.position > q.position AND later.position < :stop"
        f"  AND {CONCERNS.replace('d.', 'e.')})) t GROUP BY part ORDER BY part"
    )
