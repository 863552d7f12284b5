"""The geometry of a chart of values over time: where each dot, the usual range and the labels stand. No words.

All places are percents of the plot, from its top left corner, so that the page can draw it at any width.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from fhir_bridge.reading.dates import FhirDate, Precision
from fhir_bridge.reading.quantity import number_text
from fhir_bridge.reading.summary_model import MarkerTrend, Measured

_EDGE = 4.0
_CLOSEST = 11.0
_FEWEST = 2


@dataclass(frozen=True)
class Dot:
    """One value. `outside`: it is out of its range, which is drawn as a square."""

    x: float
    y: float
    outside: bool


@dataclass(frozen=True)
class Line:
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Chart:
    """`dots` oldest first; `band` is the usual range as (top, height); `labels` are (y, number) for the scale.

    `left_out` counts values that stand in the table only: without a number, a date or the same unit.
    """

    dots: tuple[Dot, ...]
    lines: tuple[Line, ...]
    band: tuple[float, float] | None
    labels: tuple[tuple[float, str], ...]
    first: FhirDate
    last: FhirDate
    left_out: int


def chart_of(trend: MarkerTrend, *, from_right: bool = False) -> Chart | None:
    """The chart of a trend, None with fewer than two values that can be drawn; `from_right` for RTL readers."""
    drawn = [(when, figure, one) for one in reversed(trend.values) if (when := _when(one)) and
             (figure := one.number) is not None]  # fmt: skip
    if len(drawn) < _FEWEST:
        return None
    drawn.sort(key=lambda each: each[0].sort)
    start, end = drawn[0][0], drawn[-1][0]
    low, high = _scale([figure for _, figure, _ in drawn], trend)
    span = (end.sort - start.sort).total_seconds()

    def across(when: FhirDate) -> float:
        share = (when.sort - start.sort).total_seconds() / span if span else 0.5
        share = 1 - share if from_right else share
        return round(_EDGE + share * (100 - 2 * _EDGE), 2)

    def down(figure: float) -> float:
        return round(100 - (figure - low) / (high - low) * 100, 2)

    dots = tuple(Dot(across(when), down(figure), one.flag is not None) for when, figure, one in drawn)
    top = down(trend.high) if trend.high is not None else 0.0
    bottom = down(trend.low) if trend.low is not None else 100.0
    ranged = trend.low is not None or trend.high is not None
    figures = [one for one in (trend.high, trend.low, max(f for _, f, _ in drawn), min(f for _, f, _ in drawn))
               if one is not None]  # fmt: skip
    return Chart(
        dots=dots,
        lines=tuple(Line(one.x, one.y, other.x, other.y) for one, other in pairwise(dots)),
        band=(top, round(max(bottom - top, 0.5), 2)) if ranged else None,
        labels=_apart([(down(figure), number_text(_short(figure))) for figure in figures]),
        first=start,
        last=end,
        left_out=len(trend.values) - len(dots),
    )


def _when(one: Measured) -> FhirDate | None:
    return one.date if one.date is not None and one.date.precision is not Precision.UNKNOWN else None


def _scale(figures: list[float], trend: MarkerTrend) -> tuple[float, float]:
    """From where to where the plot reaches: all values and the usual range, with room above and below."""
    ends = figures + [one for one in (trend.low, trend.high) if one is not None]
    low, high = min(ends), max(ends)
    room = (high - low) * 0.12 or abs(high) * 0.1 or 1.0
    return (low - room if low < 0 or low > room else 0.0), high + room


def _short(figure: float) -> float | int:
    return int(figure) if figure.is_integer() else figure


def _apart(labels: list[tuple[float, str]]) -> tuple[tuple[float, str], ...]:
    """The labels that do not stand on top of each other, the range's own first."""
    kept: list[tuple[float, str]] = []
    for y, words in labels:
        if all(abs(y - other) >= _CLOSEST for other, _ in kept):
            kept.append((y, words))
    return tuple(sorted(kept))
