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
    """A thread that calls `keep(items)` with what was put, until `close`.

    Not more than MOST_WAITING of weight waits: who brings more has to wait too, so that a long record passes through
    and never stands in memory. What comes first is kept at once, to be seen; later it may wait PATIENCE_SECONDS for
    more, until it is ENOUGH: each call costs as much as keeping dozens of resources. What `keep` raises is raised by
    the next `put` and by `close`.
    """

    def __init__(self, keep: Callable[[list[Any]], None]) -> None:
        self._keep = keep
        self._items: deque[tuple[int, Any]] = deque()
        self._weight = 0
        self._closed = self._begun = False
        self._error: BaseException | None = None
        lock = threading.Lock()
        self._more, self._room = threading.Condition(lock), threading.Condition(lock)
        self._thread = threading.Thread(target=self._work, name="keep", daemon=True)
        self._thread.start()

    def put(self, item: Any, weight: int = 1) -> None:
        """Have `item` kept; `weight` is how many resources it holds."""
        with self._room:
            while self._weight and self._weight + weight > MOST_WAITING and self._error is None:
                self._room.wait()
            if self._error is not None:
                raise self._error
            self._items.append((weight, item))
            self._weight += weight
            if len(self._items) == 1 or self._is_enough():
                self._more.notify()

    def close(self) -> None:
        """Wait until all is kept."""
        with self._more:
            self._closed = True
            self._more.notify()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while batch := self._next():
            try:
                self._keep([item for _, item in batch])
            except BaseException as error:  # noqa: BLE001 - it is raised where things are put
                with self._room:
                    self._error = error
                    self._items.clear()
                    self._room.notify_all()
                return
            with self._room:
                self._weight -= sum(weight for weight, _ in batch)
                self._room.notify_all()

    def _next(self) -> list[tuple[int, Any]]:
        """What waits, up to MOST_AT_ONCE; empty when it is over."""
        with self._more:
            while not self._items and not self._closed:
                self._more.wait()
            if self._begun:
                self._more.wait_for(self._is_enough, PATIENCE_SECONDS)
            self._begun |= self._weight > 1
            batch: list[tuple[int, Any]] = []
            size = 0
            while self._items and (not batch or size + self._items[0][0] <= MOST_AT_ONCE):
                weight, item = self._items.popleft()
                batch.append((weight, item))
                size += weight
            return batch

    def _is_enough(self) -> bool:
        return self._closed or self._weight >= ENOUGH
