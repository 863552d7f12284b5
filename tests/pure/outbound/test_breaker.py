"""The breaker: opens after failures in a row, lets one try after the pause, closes on success."""

from __future__ import annotations

import pytest

from outbound.breaker import Breaker
from outbound.destinations import Origin
from outbound.errors import OutboundFailed

ONE, TWO = Origin("https", "one.example", 443), Origin("https", "two.example", 443)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_tries_and_closes() -> None:
    """SEC-10: one origin's failures never stop another's calls."""
    clock = Clock()
    breaker = Breaker(threshold=3, pause_seconds=10, clock=clock)
    for _ in range(2):
        breaker.failed(ONE)
        breaker.before(ONE)
    breaker.failed(ONE)
    with pytest.raises(OutboundFailed) as caught:
        breaker.before(ONE)
    assert (caught.value.reason, caught.value.retry_after_seconds) == ("paused", 10)
    breaker.before(TWO)
    clock.now += 10
    breaker.before(ONE)
    with pytest.raises(OutboundFailed):
        breaker.before(ONE)
    breaker.failed(ONE)
    clock.now += 9
    with pytest.raises(OutboundFailed):
        breaker.before(ONE)
    clock.now += 1
    breaker.before(ONE)
    breaker.succeeded(ONE)
    breaker.before(ONE)
    breaker.failed(ONE)
    breaker.before(ONE)


def test_success_in_between_starts_the_count_anew() -> None:
    """SEC-10: only failures in a row count."""
    breaker = Breaker(threshold=2)
    for _ in range(5):
        breaker.failed(ONE)
        breaker.succeeded(ONE)
    breaker.before(ONE)
