"""What W6 makes of the times it saw."""

from __future__ import annotations

from benchmarks.w6_driver import _Asking, _seen


def test_the_slowest_hundredth_is_told_and_the_first_pages_are_left_out() -> None:
    """G6.2: of 1,000 pages the first 150 count for nothing, and the time that 99 of 100 of the rest did not reach is
    the one told; one page that nobody answered for seconds cannot hide behind a median."""
    asking = _Asking([], 0.0)
    slow = {160, 400, 401, 402, 700, 701, 702, 703, 704}
    asking.times = [(number / 100, 9.0 if number < 150 else 0.5 if number in slow else 0.01) for number in range(1_000)]
    seen = _seen(asking)
    assert (seen.count, round(seen.median_ms), round(seen.p99_ms)) == (850, 10, 500)
    assert 99 < seen.per_second < 101
