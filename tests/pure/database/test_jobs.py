"""Retries wait longer and longer, never over five minutes, and never give up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from database.jobs import LONGEST_WAIT_SECONDS, wait_seconds


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_the_wait_is_capped_and_never_nothing(attempts: int, chance: float) -> None:
    """Dependencies section 2, trap 3: an uncapped exponential wait would stop trying for years."""
    assert 1 <= wait_seconds(attempts, chance) <= LONGEST_WAIT_SECONDS


def test_the_wait_grows() -> None:
    """Dependencies section 2: the first tries come quickly."""
    assert [wait_seconds(attempts, 0.0) for attempts in range(10)] == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
