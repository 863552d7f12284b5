"""How long we wait and how much we accept (threats.md section 7: 5 s connect, 20 s read, 60 s in all)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Seconds to connect, between two pieces of an answer, and for the whole call; bytes of the decompressed body."""

    connect_seconds: float = 5.0
    read_seconds: float = 20.0
    total_seconds: float = 60.0
    max_bytes: int = 20 * 1024 * 1024


class Deadline:
    """The moment at which a call ends, finished or not."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends = clock() + seconds

    def remaining(self) -> float:
        """Seconds left; zero or less when the time is over."""
        return self._ends - self._clock()
