"""A few threads that do the most urgent thing first: whatever has the most still to come after it."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

Task = Callable[[], None]


@dataclass(order=True)
class _Waiting:
    weight: float
    number: int
    task: Task = field(compare=False)


class AtOnce:
    """At most `limit` tasks at a time. A task may `put` others; `run` returns when all are done, or raises the first
    error (what was not begun then never is)."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._waiting: list[_Waiting] = []
        self._numbers = count()
        self._lock = threading.Lock()
        self._more, self._over = threading.Condition(self._lock), threading.Condition(self._lock)
        self._busy = 0
        self._threads = 0
        self._running = False
        self._error: BaseException | None = None

    def put(self, left: float, task: Task) -> None:
        """Have `task` done; `left` is how much is still to come after it (a chain's pages)."""
        with self._lock:
            heapq.heappush(self._waiting, _Waiting(-left, next(self._numbers), task))
            if self._running:
                self._hire()
            self._more.notify()

    def run(self) -> None:
        """Do all that was put, and what that puts."""
        with self._lock:
            self._running = True
            self._hire()
            while self._threads:
                self._over.wait()
            self._running = False
            error, self._error = self._error, None
        if error is not None:
            raise error

    def _hire(self) -> None:
        while self._threads < min(self.limit, self._busy + len(self._waiting)):
            self._threads += 1
            threading.Thread(target=self._work, name="retrieve", daemon=True).start()

    def _work(self) -> None:
        while (task := self._next()) is not None:
            try:
                task()
            except BaseException as error:  # noqa: BLE001 - it is raised again where `run` was called
                with self._lock:
                    self._error = self._error or error
                    self._waiting.clear()
            finally:
                with self._lock:
                    self._busy -= 1
                    if not self._busy and not self._waiting:
                        self._more.notify_all()

    def _next(self) -> Task | None:
        with self._lock:
            while not self._waiting:
                if not self._busy:
                    self._threads -= 1
                    self._over.notify()
                    return None
                self._more.wait()
            self._busy += 1
            return heapq.heappop(self._waiting).task
