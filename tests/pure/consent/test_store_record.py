"""What a store's public record says of a histogram, and which numbers it hides."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median_low

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.store_record import EDGES, Times, shown
from patient_portal.operating.metrics import CONFIRM_EDGES

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@given(st.lists(st.integers(0, 500 * 86_400), min_size=1, max_size=200))
def test_half_were_confirmed_within_it(seconds: list[int]) -> None:
    """SUB-08: never better than the true median, nor worse than the end of its bucket or the slowest."""
    buckets = [0] * (len(EDGES) + 1)
    for one in seconds:
        buckets[bisect_left(EDGES, one)] += 1
    found = Times(tuple(buckets), sum(seconds), max(seconds), NOW).half_within().total_seconds()
    true = median_low(seconds)
    place = bisect_left(EDGES, true)
    assert true <= found <= max(seconds)
    assert place == len(EDGES) or found <= EDGES[place]


def test_edges_grow_and_hold_those_of_the_metrics() -> None:
    """Issue 3: the histogram of /metrics is cut from the same buckets, without a share of any."""
    assert all(below < above for below, above in pairwise(EDGES))
    assert all(edge == int(edge) for edge in EDGES)
    assert set(CONFIRM_EDGES) <= set(EDGES)


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, None), (10, None), (11, 11), (1_000, 1_000)])
def test_few_are_not_shown(count: int, expected: int | None) -> None:
    """House rule 6: from 1 to 10 the number is hidden; none is no secret."""
    assert shown(count) == expected
