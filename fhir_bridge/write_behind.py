"""Keeping what arrives while more is fetched: all that waits goes into one transaction, in the order it came."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

MOST_WAITING = 2_000
MOST_AT_ONCE = 1_000
ENOUGH, PATIENCE_SECONDS = 400, 0.05


class WriteBehind:
    """A thread that calls `ready(item)` with each thing that was put, and one that calls `keep(items)` with what came
    out, in order, until `close`: whoever fetches only hands on, and asks for the next page.

    Not more than MOST_WAITING of weight waits: who brings more has to wait too, so that a long record passes through
    and never stands in memory. The first page is kept at once, to be seen; what is one thing only, and what comes
    later, may wait PATIENCE_SECONDS for more, until it is ENOUGH: each call costs as much as keeping dozens of
    resources. What `ready` or `keep` raises is raised by the next `put` and by `close`.
    """

    def __init__(self, ready: Callable[[Any], Any], keep: Callable[[list[Any]], None]) -> None:
        self._ready, self._keep = ready, keep
        self._arrived: deque[tuple[int, Any]] = deque()
        self._items: deque[tuple[int, Any]] = deque()
        self._waiting = self._weight = 0
        self._closed = self._all_ready = self._begun = False
        self._error: BaseException | None = None
        lock = threading.Lock()
        self._news, self._more, self._room = (threading.Condition(lock) for _ in range(3))
        self._threads = [
            threading.Thread(target=self._work, args=(step,), name=name, daemon=True)
            for step, name in ((self._make_ready, "make-ready"), (self._keep_some, "keep"))
        ]
        for thread in self._threads:
            thread.start()

    def put(self, item: Any, weight: int = 1) -> None:
        """Have `item` kept; `weight` is how many resources it holds."""
        with self._room:
            while self._waiting and self._waiting + weight > MOST_WAITING and self._error is None:
                self._room.wait()
            if self._error is not None:
                raise self._error
            self._arrived.append((weight, item))
            self._waiting += weight
            self._news.notify()

    def close(self) -> None:
        """Wait until all is kept."""
        with self._news:
            self._closed = True
            self._news.notify()
        for thread in self._threads:
            thread.join()
        if self._error is not None:
            raise self._error

    def _work(self, step: Callable[[], bool]) -> None:
        """Do a thread's steps until there are none; what goes wrong in one ends the other, too."""
        try:
            while self._error is None and step():
                pass
        except BaseException as error:  # noqa: BLE001 - it is raised where things are put
            with self._room:
                self._error = error
                self._arrived.clear()
                self._items.clear()
                for each in (self._news, self._more, self._room):
                    each.notify_all()

    def _make_ready(self) -> bool:
        with self._news:
            while not self._arrived and not self._closed and self._error is None:
                self._news.wait()
            if not self._arrived:
                self._all_ready = True
                self._more.notify()
                return False
            weight, item = self._arrived.popleft()
        made = self._ready(item)
        with self._more:
            self._items.append((weight, made))
            self._weight += weight
            if len(self._items) == 1 or self._is_enough():
                self._more.notify()
        return True

    def _keep_some(self) -> bool:
        batch = self._next()
        if batch:
            self._keep([item for _, item in batch])
        with self._room:
            self._waiting -= sum(weight for weight, _ in batch)
            self._room.notify_all()
        return bool(batch)

    def _next(self) -> list[tuple[int, Any]]:
        """What is ready, up to MOST_AT_ONCE; empty when it is over."""
        with self._more:
            while not self._items and not self._all_ready and self._error is None:
                self._more.wait()
            self._more.wait_for(self._is_enough, PATIENCE_SECONDS)
            self._begun |= self._weight > 1
            batch: list[tuple[int, Any]] = []
            size = 0
            while self._items and (not batch or size + self._items[0][0] <= MOST_AT_ONCE):
                weight, item = self._items.popleft()
                batch.append((weight, item))
                size += weight
            self._weight -= size
            return batch

    def _is_enough(self) -> bool:
        """Whether to keep now: the end, enough of it, or the first page that is more than the person alone."""
        return self._all_ready or self._error is not None or self._weight >= (ENOUGH if self._begun else 2)
