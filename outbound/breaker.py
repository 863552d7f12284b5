"""Stops calling an origin that does not answer, and tries again after a pause (SEC-10)."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from outbound.destinations import Origin
from outbound.errors import OutboundFailed


class Breaker:
    """After `threshold` failures in a row, calls to that origin fail at once for `pause_seconds`.

    Then one caller may try; its success closes the breaker and its failure opens it again.
    """

    def __init__(
        self, threshold: int = 5, pause_seconds: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._threshold, self._pause, self._clock = threshold, pause_seconds, clock
        self._lock = threading.Lock()
        self._failures: dict[Origin, int] = {}
        self._closed_until: dict[Origin, float] = {}

    def before(self, origin: Origin) -> None:
        """Raises OutboundFailed("paused") while the origin rests."""
        with self._lock:
            until = self._closed_until.get(origin)
            if until is None:
                return
            wait = until - self._clock()
            if wait > 0:
                raise OutboundFailed("paused", retry_after_seconds=max(1, math.ceil(wait)))
            self._closed_until[origin] = self._clock() + self._pause  # this caller tries; the others wait

    def succeeded(self, origin: Origin) -> None:
        with self._lock:
            self._failures.pop(origin, None)
            self._closed_until.pop(origin, None)

    def failed(self, origin: Origin) -> None:
        with self._lock:
            count = self._failures.get(origin, 0) + 1
            self._failures[origin] = count
            if count >= self._threshold:
                self._closed_until[origin] = self._clock() + self._pause
