"""The picture of values over time: nothing outside its frame, and the table keeps what cannot be drawn."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_bridge.reading.chart import chart_of
from fhir_bridge.reading.trends import trend_of
from fhir_bridge.record_over_time import is_same_test
from tests.pure.fhir_bridge.reading.samples import observation


def value(
    day: str, figure: float, unit: str = "U/mL", low: float | None = 0, high: float | None = 30
) -> dict[str, object]:
    limits = {
        name: {"value": limit, "unit": unit} for name, limit in (("low", low), ("high", high)) if limit is not None
    }
    return observation(
        day, "6875-9", effectiveDateTime=day, valueQuantity={"value": figure, "unit": unit}, referenceRange=[limits]
    )


def test_the_newest_stands_at_the_end_of_the_line_of_reading() -> None:
    """MC-06: time runs as the reader's language runs; what is out of range has another shape and words."""
    trend = trend_of("x", "X", [value("2020-01-01", 10), value("2020-03-01", 50), value("2020-02-01", 20)])
    chart, mirrored = chart_of(trend), chart_of(trend, from_right=True)
    assert chart is not None
    assert mirrored is not None
    assert [one.x for one in chart.dots] == sorted(one.x for one in chart.dots)
    assert [one.x for one in mirrored.dots] == sorted((one.x for one in mirrored.dots), reverse=True)
    assert [one.outside for one in chart.dots] == [False, False, True]
    assert chart.band is not None
    top, height = chart.band
    assert top > chart.dots[2].y  # the third value stands above the range
    assert top < chart.dots[0].y < top + height
    assert (chart.first.text, chart.last.text) == ("2020-01-01", "2020-03-01")
    assert [str(one.flag) for one in trend.values if one.flag] == ["Above the usual range"]


def test_what_cannot_be_drawn_stays_in_the_table() -> None:
    """FHIR-18: another unit, no date or a comparator is never drawn as if it were the same."""
    odd = value("2020-04-01", 3)
    odd["valueQuantity"] = {"value": 3, "unit": "U/mL", "comparator": "<"}
    undated = value("2020-05-01", 4)
    del undated["effectiveDateTime"]
    ones = [value("2020-06-01", 10), value("2020-01-01", 11), value("2020-02-01", 0.1, "kU/L"), odd, undated]
    chart = chart_of(trend_of("x", "X", ones))
    assert chart is not None
    assert (len(chart.dots), chart.left_out) == (2, 3)
    assert chart_of(trend_of("x", "X", ones[:1])) is None


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-1e12, 1e12), min_size=2, max_size=20),
    st.none() | st.floats(-1e6, 1e6),
    st.none() | st.floats(-1e6, 1e6),
)
def test_everything_stands_inside(figures: list[float], low: float | None, high: float | None) -> None:
    """MC-06: whatever the numbers, dots and labels stand inside the frame, and labels never on each other."""
    ones = [value(f"2020-01-{day + 1:02}", figure, "x", low, high) for day, figure in enumerate(figures)]
    chart = chart_of(trend_of("x", "X", ones))
    assert chart is not None
    assert all(0 <= one.x <= 100 and 0 <= one.y <= 100 for one in chart.dots)
    places = [y for y, _ in chart.labels]
    assert all(0 <= y <= 100 for y in places)
    assert all(later - earlier >= 11 for earlier, later in itertools.pairwise(places))


def test_the_same_test_has_the_same_code() -> None:
    """MC-06: only results of the same test are drawn in one picture."""
    ours = value("2020-01-01", 1)
    assert is_same_test(ours, value("2021-01-01", 2))
    assert not is_same_test(ours, observation("b", "2160-0"))
    worded = {"resourceType": "Observation", "code": {"text": "Sodium"}}
    assert is_same_test(worded, {"resourceType": "Observation", "code": {"text": "sodium"}})
    assert not is_same_test(worded, ours)
