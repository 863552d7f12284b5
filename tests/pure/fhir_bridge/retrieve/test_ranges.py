"""Splitting a long search into ranges of days: every day is in one, whatever the first page was like."""

from __future__ import annotations

from itertools import pairwise
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_bridge.retrieve.plan import COUNT, PAGE_HINT, REVINCLUDE, SMALL_PAGE, plan_for, simpler, since
from fhir_bridge.retrieve.ranges import EVER, MOST_PARTS, NEWEST, OLDEST, Span, split
from fhir_bridge.smart.scopes import granted

DAYS = st.lists(st.integers(OLDEST + 1, NEWEST - 1), min_size=5, max_size=60)


@given(days=DAYS, times=st.integers(5, 400), order=st.sampled_from(["as-is", "falling", "rising"]))
def test_the_rest_is_covered_once(days: list[int], times: int, order: str) -> None:
    """FHIR-05: no day of the rest is in two ranges and none is left out; what lies outside was on the page."""
    if order != "as-is":
        days.sort(reverse=order == "falling")
    spans = split(days, len(days) * times, len(days))
    if not spans:
        # Days in no order tell too little where half of them are one day.
        assert sorted(days)[len(days) // 2] == min(days)
        assert min(days) == max(days) or (order == "as-is" and sorted(days) != days)
        return
    assert 1 <= len(spans) <= MOST_PARTS + 1
    ordered = sorted(spans, key=lambda one: one.low if one.low is not None else -1)
    for one, following in pairwise(ordered):
        assert one.high == following.low
        assert one.low is None or (one.high is not None and one.low < one.high)
    falling, rising = sorted(days, reverse=True) == days, sorted(days) == days
    if not rising or falling:
        assert ordered[0].low is None
    if not falling or rising:
        assert ordered[-1].high is None or falling
    if falling:  # the day that the page ended in may go on
        assert ordered[-1].high == min(days) + 1
    elif rising:
        assert ordered[0].low == max(days)


@given(days=st.lists(st.integers(-50, 450), min_size=5, max_size=60), low=st.integers(OLDEST + 50, NEWEST - 500))
def test_a_part_is_split_within_itself(days: list[int], low: int) -> None:
    """FHIR-05: a range that is itself too long is split again, and never beyond itself."""
    within, days = Span(low, low + 400), [low + day for day in days]
    for one in split(days, len(days) * 40, len(days), within):
        assert one.low is not None
        assert one.high is not None
        assert low <= one.low < one.high <= low + 400


def test_short_searches_and_unknown_totals_are_not_split() -> None:
    """FHIR-05: what few pages hold is followed page by page."""
    days = list(range(738000, 738050))
    assert split(days, 150, 50) == ()
    assert split([738000] * 50, 5000, 50) == ()
    assert len(split(days, 900, 50)) == 9
    assert EVER.parameters("date") == ""
    assert Span(738000, 738001).parameters("date") == "&date=ge2021-07-29&date=lt2021-07-30"


@pytest.mark.parametrize("total", [277, 427, 872, 1600])
@pytest.mark.parametrize("gap", [-9, -1, 1, 4])
def test_parts_take_hardly_more_pages_than_one_after_the_other(total: int, gap: int) -> None:
    """FHIR-05, G1.1: where entries come evenly, splitting costs one question more at most."""
    days = [738000 + gap * number for number in range(total)]
    spans = split(days[:50], total, 50)
    held = [sum((one.low or 0) <= day < (one.high or day + 1) for day in days) for one in spans]
    assert sum(held) == total - 49
    assert 1 + sum(ceil(each / 50) for each in held) <= ceil(total / 50) + 1


def test_simpler_ways_to_ask() -> None:
    """FHIR-05, FHIR-08, FHIR-16: a first page that was not understood is asked for without what not every server takes;
    one that was too large with fewer on it."""
    url = f"https://h/Condition?patient=p1{COUNT}&_lastUpdated=ge2026-01-01{REVINCLUDE}"
    without = simpler(url, 400, too_large=False, known=True)
    assert without == url.replace(REVINCLUDE, "")
    further = simpler(without, 400, too_large=False, known=True)
    assert further == f"https://h/Condition?patient=p1{COUNT}"
    last = simpler(further, 422, too_large=False, known=True)
    assert last == "https://h/Condition?patient=p1"
    assert simpler(last, 400, too_large=False, known=True) is None
    assert simpler(further, 400, too_large=False, known=False) is None
    assert simpler(further, 403, too_large=False, known=True) is None
    assert simpler(further, None, too_large=True, known=True) == further.replace(str(PAGE_HINT), str(SMALL_PAGE))


def test_changes_only() -> None:
    """FHIR-16: the types named are asked for what changed, the others for all."""
    plan = plan_for("p1", granted("patient/Condition.rs patient/Goal.rs"))
    asked = {one.type: one.first for one in since(plan.types, {"Goal": "2026-11-01T08:00:00+00:00"})}
    assert asked["Goal"][0].query.endswith("&_lastUpdated=ge2026-11-01T08%3A00%3A00%2B00%3A00")
    assert "_lastUpdated" not in asked["Condition"][0].query
