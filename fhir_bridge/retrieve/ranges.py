"""Splitting a long search into ranges of days that can be asked for at the same time. Pure.

What the ranges gave is counted against the server's own total afterwards, and the ordinary chain of pages is followed
when anything is missing: a server that reads dates in its own way costs time, never an entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil

DATE_PARAMETERS = {
    "Observation": "date", "DiagnosticReport": "date", "DocumentReference": "date", "Encounter": "date",
    "Procedure": "date", "Immunization": "date", "Condition": "recorded-date", "MedicationRequest": "authoredon",
    "MedicationAdministration": "effective-time", "ServiceRequest": "authored", "ImagingStudy": "started",
    "Claim": "created", "ExplanationOfBenefit": "created", "Provenance": "recorded",
}  # fmt: skip
"""By type, the search parameter by which it is ordered in time (FHIR R4, each resource's search parameters)."""

PAGES_A_PART = 2
FEWEST_PAGES_LEFT = 4
MOST_PARTS = 16
FEWEST_DAYS = 5
OLDEST, NEWEST = date(1880, 1, 1).toordinal(), date(2200, 1, 1).toordinal()


@dataclass(frozen=True)
class Span:
    """Days from `low` (inclusive) to `high` (exclusive), as ordinals; None: open on that side."""

    low: int | None = None
    high: int | None = None

    def parameters(self, name: str) -> str:
        """The search parameters that ask for this span (FHIR R4 search.html#prefix)."""
        low = f"&{name}=ge{date.fromordinal(self.low).isoformat()}" if self.low is not None else ""
        high = f"&{name}=lt{date.fromordinal(self.high).isoformat()}" if self.high is not None else ""
        return low + high


EVER = Span()


def pages_left(total: int | None, had: int) -> int:
    """How many pages are still to come after a first page of `had` matches."""
    return ceil((total - had) / had) if total is not None and had and total > had else 0


def split(days: Sequence[int], total: int, had: int, within: Span = EVER) -> tuple[Span, ...]:
    """The spans in which to ask for what a first page began, empty when it is better followed page by page.

    `days`: the days of the page's matches in their order, those that name one; `total` and `had`: how many matches
    there are within `within`, and how many the page held.
    """
    left = pages_left(total, had)
    parts = min(MOST_PARTS, ceil(left / PAGES_A_PART))
    # What names a day outside is ordered by another of its dates than the one that is searched by.
    low, high = max(within.low or 0, OLDEST + 1), min(within.high or NEWEST, NEWEST)
    days = [day for day in days if low <= day < high]
    if left < FEWEST_PAGES_LEFT or parts < 2 or len(days) < FEWEST_DAYS or min(days) == max(days):
        return ()
    falling, rising = sorted(days, reverse=True) == list(days), sorted(days) == list(days)
    if falling or rising:
        return _beyond(min(days), max(days), total / had, parts, within, older=falling)
    return _between(sorted(days), parts, within)


def _beyond(first: int, last: int, pages: float, parts: int, within: Span, *, older: bool) -> tuple[Span, ...]:
    """A page in order of time says how dense the days are; the rest lies on one side of it. Each part spans as many
    days as its pages are thought to, the last what is left: equal parts would each end in a page that is not full."""
    reach = max(parts, ceil((last - first) * (pages - 1)))
    if older:
        end = max(first - reach, OLDEST if within.low is None else within.low)
        step = max(PAGES_A_PART * (last - first), (first - end) // parts)
        cuts = [first + 1, *(first - step * n for n in range(1, parts))]
        cuts = [cut for cut in cuts if cut > (OLDEST if within.low is None else within.low)]
        # The last part is as open as the whole: what is older than thought is found there, and split again.
        return tuple(Span(low, high) for low, high in zip([*cuts[1:], within.low], cuts, strict=True))
    end = min(last + reach, NEWEST if within.high is None else within.high)
    step = max(PAGES_A_PART * (last - first), (end - last) // parts)
    cuts = [last, *(last + step * n for n in range(1, parts))]
    cuts = [cut for cut in cuts if cut < (NEWEST if within.high is None else within.high)]
    return tuple(Span(low, high) for low, high in zip(cuts, [*cuts[1:], within.high], strict=True))


def _between(days: Sequence[int], parts: int, within: Span) -> tuple[Span, ...]:
    """A page in no order of time is a sample: equal parts of it are about equal parts of the whole."""
    cuts = sorted({days[len(days) * n // parts] for n in range(1, parts)} - {days[0]})
    cuts = [cut for cut in cuts if (within.low is None or cut > within.low)]
    cuts = [cut for cut in cuts if (within.high is None or cut < within.high)]
    if not cuts:
        return ()
    return tuple(Span(low, high) for low, high in zip([within.low, *cuts], [*cuts, within.high], strict=True))
