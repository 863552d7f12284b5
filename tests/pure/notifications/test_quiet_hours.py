"""When the service may text of its own accord."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.quiet_hours import Hours, is_zone, may_send, next_allowed

NEW_YORK = ZoneInfo("America/New_York")
ZONES = [
    "America/New_York",
    "America/Chicago",
    "America/Phoenix",
    "Pacific/Honolulu",
    "America/St_Johns",
    "Pacific/Guam",
]


@pytest.mark.parametrize(
    ("clock", "state", "allowed"),
    [
        ("07:59", "MA", False), ("08:00", "MA", True), ("20:59", "MA", True), ("21:00", "MA", False),
        ("19:59", "FL", True), ("20:00", "FL", False), ("20:00", "OK", False), ("20:00", "WA", False),
        ("20:00", None, False), ("19:59", None, True),
    ],
)  # fmt: skip
def test_hours(clock: str, state: str | None, allowed: bool) -> None:
    """SMS-06: 08:00 <= local < 21:00, earlier in the stricter states; an unknown state is held to the strictest."""
    moment = datetime.fromisoformat(f"2026-11-20T{clock}").replace(tzinfo=NEW_YORK)
    assert may_send(moment, "America/New_York", state) is allowed


@pytest.mark.parametrize("zone", [None, "", "Mars/Olympus", "../../etc/passwd", "EST5EDT\n"])
def test_unknown_zone_must_suit_both_ends_of_the_country(zone: str | None) -> None:
    """SMS-06: without a zone, only when New York and Honolulu both allow it: 13:00 to 21:00 in New York's winter."""
    day = datetime(2026, 11, 20, tzinfo=NEW_YORK)
    allowed = [hour for hour in range(24) if may_send(day.replace(hour=hour), zone, "MA")]
    assert allowed == list(range(13, 21))


def test_zone_names() -> None:
    """SMS-06: only a real IANA zone counts as known."""
    assert is_zone("America/Denver")
    assert not any(is_zone(name) for name in ("", "Nowhere", "/etc/passwd", "America"))


moments = st.integers(0, 5 * 365 * 1440).map(
    lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
# The four days around both clock changes of a year.
changes = st.sampled_from([datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)]).flatmap(
    lambda day: st.integers(-2 * 1440, 2 * 1440).map(lambda minutes: day + timedelta(minutes=minutes))
)


@given(
    moment=st.one_of(moments, changes), zone=st.sampled_from([*ZONES, None]), state=st.sampled_from(["FL", "MA", None])
)
def test_deferred_is_allowed_soon_and_never_early(moment: datetime, zone: str | None, state: str | None) -> None:
    """SMS-06: deferred, not dropped: the next moment is allowed, not before now, within a day, also over DST."""
    later = next_allowed(moment, zone, state)
    assert later >= moment
    assert may_send(later, zone, state)
    assert later - moment <= timedelta(hours=25)
    if may_send(moment, zone, state):
        assert later == moment
    else:
        assert not may_send(later - timedelta(seconds=1), zone, state)


@given(moment=changes)
def test_local_clock_decides_over_a_clock_change(moment: datetime) -> None:
    """SMS-06: over a change of clocks it is the person's clock that counts."""
    local = moment.astimezone(NEW_YORK)
    assert may_send(moment, "America/New_York", "MA") is (8 <= local.hour < 21)


@given(
    moment=changes, zone=st.sampled_from(ZONES), opens=st.integers(0, 24), closes=st.integers(0, 24),
)  # fmt: skip
def test_hours_a_person_chose_hold_over_a_clock_change(moment: datetime, zone: str, opens: int, closes: int) -> None:
    """SMS-06: by the person's own clock within the law's hours, also on the two days a year that have another length;
    hours that cannot be are not kept to, so nothing waits for ever."""
    hours = Hours(opens, closes)
    later = next_allowed(moment, zone, hours=hours)
    local = later.astimezone(ZoneInfo(zone))
    assert 8 <= local.hour < 20
    assert later - moment <= timedelta(hours=25)
    if hours.are_possible:
        assert opens <= local.hour < closes


@given(day=st.dates(date(2026, 1, 1), date(2028, 1, 1)), zone=st.sampled_from(ZONES))
def test_a_morning_is_a_morning_on_any_day(day: date, zone: str) -> None:
    """SMS-06: nine in the morning of a chosen day, kept as a moment, is nine there when the day comes, also over a
    change of clocks in between."""
    morning = datetime.combine(day, time(9), ZoneInfo(zone)).astimezone(UTC)
    there = morning.astimezone(ZoneInfo(zone))
    assert (there.date(), there.hour) == (day, 9)
    assert next_allowed(morning, zone) == morning
