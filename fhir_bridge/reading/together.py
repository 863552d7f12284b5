"""The cancer stories of several hospitals as one: a cancer that both tell is one card with its sources. Pure.

Two cards become one only when nothing that they say differs: the same place in the body and side, the same kind of
cells, the same day as far as it is known, the same standing; what one of them leaves open does not differ. A story that
tells of two such cancers is never guessed at: then both stand apart, as they were sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from fhir_bridge.reading.dates import FhirDate
from fhir_bridge.reading.summary_model import Cancer, CancerSummary, Finding, MarkerTrend, Treatment

Told = TypeVar("Told")


@dataclass(frozen=True)
class Together:
    """One story, and for each of its cancers in their order which of the stories (by place) told of it."""

    story: CancerSummary
    told_by: tuple[tuple[int, ...], ...]


def together(stories: Sequence[CancerSummary]) -> Together:
    """Lists joined without what is told twice, the newest of single findings, each cancer once."""
    if len(stories) == 1:
        return Together(stories[0], tuple((0,) for _ in stories[0].cancers))
    cancers = _cancers(stories)
    joined: dict[str, Any] = {"cancers": tuple(one for one, _ in cancers)}
    for name in (one.name for one in fields(CancerSummary) if one.name not in ("version", "cancers")):
        values = [getattr(story, name) for story in stories]
        if not values:
            continue
        joined[name] = _LISTS[name](values) if name in _LISTS else _newest(values)
    return Together(CancerSummary(**joined), tuple(told for _, told in cancers))


def _cancers(stories: Sequence[CancerSummary]) -> list[tuple[Cancer, tuple[int, ...]]]:
    found: list[tuple[Cancer, tuple[int, ...]]] = []
    for place, story in enumerate(stories):
        before = list(found)
        for one in story.cancers:
            alike = [each for each in before if is_same_cancer(each[0], one)]
            mine = [each for each in story.cancers if alike and is_same_cancer(alike[0][0], each)]
            if len(alike) == len(mine) == 1:
                found[found.index(alike[0])] = _merged(alike[0][0], one), (*alike[0][1], place)
            else:
                found.append((one, (place,)))
    return found


def is_same_cancer(one: Cancer, other: Cancer) -> bool:
    """Whether two hospitals tell of one cancer: the same place, and no word of one against the other."""
    return (
        bool(one.site)
        and one.site == other.site
        and one.in_situ == other.in_situ
        and _agree(one.side, other.side)
        and _agree(one.histology or one.histology_clinical, other.histology or other.histology_clinical)
        and _agree(one.status, other.status)
        and (one.found is None or other.found is None or _within(one.found, other.found))
    )


def _agree(one: object, other: object) -> bool:
    return not one or not other or str(one).casefold() == str(other).casefold()


def _within(one: FhirDate, other: FhirDate) -> bool:
    """Whether one of two dates is the other, told less exactly (2021 and 2021-02)."""
    return one.text.startswith(other.text) or other.text.startswith(one.text)


def _merged(one: Cancer, other: Cancer) -> Cancer:
    exact = max((each for each in (one.found, other.found) if each), key=lambda each: len(each.text), default=None)
    return replace(
        one,
        keys=one.keys + other.keys,
        title=one.title if one.side or not other.side else other.title,
        side=one.side or other.side,
        clinical=one.clinical or other.clinical,
        found=exact,
        histology=one.histology or other.histology,
        histology_clinical=one.histology_clinical or other.histology_clinical,
        status=one.status or other.status,
        stages=_stages([one.stages, other.stages]),
        markers=_markers([one.markers, other.markers]),
        genes=_markers([one.genes, other.genes]),
        spread=_spread([one.spread, other.spread]),
        disease_status=_newest([one.disease_status, other.disease_status]),
        tumor_size=_newest([one.tumor_size, other.tumor_size]),
    )


def _newest(findings: Iterable[Finding | None]) -> Finding | None:
    return max((one for one in findings if one), key=lambda one: _day(one.date), default=None)


def _day(date: FhirDate | None) -> str:
    return date.sort.isoformat() if date else ""


def _once(lists: Iterable[Sequence[Told]], said: Callable[[Told], tuple[object, ...]]) -> list[Told]:
    """All of the lists in their order; what several lists say alike stands once, what one list says twice stays."""
    found: list[Told] = []
    for each in lists:
        before = {said(one) for one in found}
        found += [one for one in each if said(one) not in before]
    return found


def _stages(lists: Sequence[Any]) -> tuple[Any, ...]:
    said = _once(lists, lambda one: (one.value, one.system, str(one.basis), one.date and one.date.text[:10]))
    return tuple(sorted(said, key=lambda one: _day(one.date), reverse=True))


def _markers(lists: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(_once(lists, lambda one: (str(one.name).casefold(), str(one.result).casefold())))


def _spread(lists: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(_once(lists, lambda one: (str(one.title).casefold(),)))


def _findings(lists: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(_once(lists, lambda one: (str(one.text).casefold(), one.clinical.casefold())))


def _treatments(lists: Sequence[Any]) -> tuple[Any, ...]:
    said = _once(lists, lambda one: (one.kind, str(one.title), one.names, one.start and one.start.text[:10]))
    done = [one for one in said if one.told is None]
    kept = [one for one in said if one.told is None or not any(_is_of(one, each) for each in done)]
    return tuple(sorted(kept, key=lambda one: _day(one.start)))


def _is_of(told: Treatment, done: Treatment) -> bool:
    """Whether one hospital was told of what another one ordered or gave: the same medicines, in times that meet."""
    if not set(told.names) <= set(done.names):
        return False
    if told.start is None or done.start is None:
        return True
    begins_after = not done.ongoing and _day(told.start) > _day(done.end or done.start)
    over_before = not told.ongoing and _day(told.end or told.start) < _day(done.start)
    return not begins_after and not over_before


def _trends(lists: Sequence[Sequence[MarkerTrend]]) -> tuple[MarkerTrend, ...]:
    """The same test in the same unit is one course; the range is that of the newest value."""
    found: dict[tuple[str, str], MarkerTrend] = {}
    for one in (each for trends in lists for each in trends):
        known = found.get((one.marker, one.unit))
        if known is None:
            found[one.marker, one.unit] = one
            continue
        head = max((known, one), key=lambda each: _day(each.latest.date))
        values = _once([known.values, one.values], lambda each: (each.date and each.date.text[:10], each.value_text))
        newest_first = tuple(sorted(values, key=lambda each: _day(each.date), reverse=True))
        found[one.marker, one.unit] = replace(head, values=newest_first)
    return tuple(found.values())


_LISTS: dict[str, Callable[[Sequence[Any]], tuple[Any, ...]]] = {
    "stages": _stages, "markers": _markers, "genes": _markers, "spread": _spread, "other_illnesses": _findings,
    "treatments": _treatments, "trends": _trends, "told_apart": _findings,
}  # fmt: skip
