"""What stands, for a long backfill, a part at a time: what one batch tells at most.

A few parts are found together, by keys that are looked up as a set in the order of their index: so the first part is
there at once, and nothing grows with the ledger. Each column comes as one text (`read_lines.NAMED_COLUMNS`). The
database looks for the next parts while a thread of its own opens the names of these and the store takes the ones
before. It may be given up at any time: who asks then reads for itself.
"""

from __future__ import annotations

import sys
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any

import structlog
from sqlalchemy import Row, TextClause, text

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
AT_ONCE = 5
"""So many parts are found together, once the first is there."""
SWITCH_SECONDS = 0.0002
"""So long a thread of Python waits for one that computes, while names are opened: who tells the store waits for a
database a dozen times in each batch, and each time would wait for that thread too."""
# What a set of keys finds is joined by hash, whatever the planner believes of a set that it cannot see.
_BY_HASH = text("SELECT set_config('enable_nestloop', 'off', true), set_config('work_mem', '32MB', true)")
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
        """Until a part is there, or there is none to come; for the first `first_seconds` at most."""
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
        before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_SECONDS)
        try:
            for part in self._stream():
                deadline = time.monotonic() + GIVEN_UP_SECONDS
                while not self._put(part):
                    if self._given_up.is_set() or time.monotonic() > deadline:
                        return
        except Exception as error:  # noqa: BLE001 - the sender reads by keys, and meets what is wrong
            log.warning("feed.not-read-ahead", store=self._store.id, error=type(error).__name__)
        finally:
            sys.setswitchinterval(before)

    def _put(self, part: _Part) -> bool:
        with suppress(Full):
            self._parts.put(part, timeout=0.25)
            self._flows.set()
            return True
        return False

    def _stream(self) -> Iterator[_Part]:
        (came, stop), most = self._run, self._most
        with ThreadPoolExecutor(1, f"standing-{self._store.id}") as pool:
            found = pool.submit(self._find, came, 1)
            while came < stop:
                rows, end = found.result()
                if end < stop:
                    found = pool.submit(self._find, end, AT_ONCE)
                for row in rows:
                    part_end = min((row.part + 1) * most, stop)
                    yield came, part_end, opened(self._ring, row[1:], self._store)
                    came = part_end
                if came < end:
                    yield came, end, Lines.of(())
                    came = end

    def _find(self, start: int, parts: int) -> tuple[Sequence[Row[Any]], int]:
        """Some parts from `start` on, by rising number, and where (not with it) that is all."""
        stop, most = self._run[1], self._most
        end = min((start // most + parts) * most, stop)
        bound = {"start": start, "stop": end, "whole": stop, "most": most, "only_no": self._only_no}
        with self._database.begin(as_propagation()) as session:
            session.execute(_BY_HASH)
            statement = _standing(rows=is_told_by_rows(self._store))
            return session.execute(statement, {**bound, **of_store(self._store)}).all(), end


@cache
def _standing(*, rows: bool) -> TextClause:
    """A person's versions have rising positions, so what they decided later is a higher version; there is none above
    the first of most people, and so much the index says by itself. Who decided later is told of there, so no name of
    theirs is looked for."""
    recorded = (AS_STAMP if rows else AS_INSTANT).replace("d.", "")
    return text(
        "WITH p AS MATERIALIZED (SELECT position, decision_id, person_id, version FROM position"  # noqa: S608 - constants; values are bound
        "  WHERE position >= :start AND position < :stop),"
        " later AS MATERIALIZED (SELECT e.person_id, max(e.version) AS newest FROM decision e"
        "  WHERE e.person_id = ANY (ARRAY(SELECT person_id FROM p ORDER BY person_id)) AND e.version > 1"
        f"  AND {CONCERNS.replace('d.', 'e.')} AND EXISTS (SELECT FROM position l WHERE l.decision_id = e.id"
        "   AND l.position < :whole OFFSET 0) GROUP BY e.person_id),"
        " s AS MATERIALIZED (SELECT p.* FROM p LEFT JOIN later USING (person_id)"
        "  WHERE coalesce(newest <= version, true))"
        f" SELECT position / :most AS part, {NAMED_COLUMNS} FROM (SELECT position, version, person_id, alias,"
        f" created_at, system, value_sealed, answer, {recorded} AS recorded FROM s JOIN (SELECT d.id AS decision_id,"
        "  d.answer, d.recorded_at FROM decision d WHERE d.id = ANY (ARRAY(SELECT decision_id FROM s))"
        f"  AND (NOT :only_no OR d.answer = 'no') AND {CONCERNS} OFFSET 0) d USING (decision_id)"
        " JOIN (SELECT id AS alias, person_id, created_at, system, value_sealed FROM person_alias"
        "  WHERE person_id = ANY (ARRAY(SELECT person_id FROM s ORDER BY person_id))"
        f"  AND {REACHES} OFFSET 0) a USING (person_id)) t GROUP BY part ORDER BY part"
    )
