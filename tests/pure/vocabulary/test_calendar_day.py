"""Days of a law or a paper are days of a calendar somewhere."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vocabulary.calendar_day import FURTHEST_ZONE, day_at, end_of

ZONES = ("America/New_York", "Pacific/Honolulu", "Pacific/Guam", "America/Phoenix", "UTC")


@pytest.mark.parametrize(
    ("moment", "zone", "day"),
    [
        ("2026-11-23T04:59:59", "America/New_York", "2026-11-22"),
        ("2026-11-23T05:00:00", "America/New_York", "2026-11-23"),
        ("2026-07-23T03:59:59", "America/New_York", "2026-07-22"),  # summer time
        ("2026-11-22T13:59:59", "Pacific/Guam", "2026-11-22"),
        ("2026-11-22T14:00:00", "Pacific/Guam", "2026-11-23"),
    ],
)
def test_both_sides_of_midnight(moment: str, zone: str, day: str) -> None:
    """HIP-01, HIP-15: what is tomorrow in UTC is today where the service is, and the other way round."""
    assert day_at(datetime.fromisoformat(moment).replace(tzinfo=UTC), zone) == date.fromisoformat(day)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 11, 1), 25), (date(2026, 3, 8), 23), (date(2026, 5, 1), 24)])
def test_a_day_of_a_clock_change_is_as_long_as_it_is(day: date, hours: int) -> None:
    """HIP-15: an authority's last day ends at the next midnight there, in autumn after 25 hours."""
    eastern = "America/New_York"
    assert end_of(day, eastern) - end_of(day - timedelta(days=1), eastern) == timedelta(hours=hours)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.sampled_from(ZONES))
def test_a_day_is_over_when_the_next_begins(day: date, zone: str) -> None:
    """HIP-15: at its end it is the next day there, and a moment before it was not; no zone is further than said."""
    end = end_of(day, zone)
    assert day_at(end, zone) == day + timedelta(days=1)
    assert day_at(end - timedelta(seconds=1), zone) == day
    assert (end - timedelta(seconds=1) + FURTHEST_ZONE).date() >= day
