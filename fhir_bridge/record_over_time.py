"""One test over time: every result of the same test in a person's record, whichever hospital sent it."""

from __future__ import annotations

from dataclasses import dataclass

from fhir_bridge.reading.quantity import value_said
from fhir_bridge.reading.shape import Coding, codings, concept_text, obj
from fhir_bridge.reading.standing import is_fact
from fhir_bridge.reading.summary_model import MarkerTrend
from fhir_bridge.reading.titles import title_of
from fhir_bridge.reading.trends import trend_of
from fhir_bridge.record import OwnRecord, StoredEntry
from fhir_bridge.tables import RecordEntry
from vocabulary.resource import Resource

MOST = 3000


@dataclass(frozen=True)
class OverTime:
    """`trend` newest first; `providers` are the hospitals its values came from; `cut`: older results were not read."""

    trend: MarkerTrend
    clinical: str
    providers: tuple[str, ...]
    cut: bool


def has_course(resource: Resource) -> bool:
    """Whether an entry is a measured value, which can be followed over time."""
    return resource.get("resourceType") == "Observation" and bool(obj(resource.get("valueQuantity")))


def over_time(record: OwnRecord, stored: StoredEntry) -> OverTime | None:
    """The course of the test that an entry reports: one query over the newest MOST results of its kind.

    None when nothing of it is a fact with a value.
    """
    asked = stored.resource
    query = record.stored().where(
        RecordEntry.kind == stored.kind, RecordEntry.type == "Observation", ~RecordEntry.mistake
    )
    newest_first = query.order_by(RecordEntry.clinical_date.desc(), RecordEntry.id.desc()).limit(MOST + 1)
    rows = record.session.execute(newest_first).all()
    marks = _marks(asked)
    found: list[tuple[StoredEntry, Resource]] = []
    for row in rows[:MOST]:
        entry = record.opened(row)
        if any(mark in entry.raw for mark in marks):
            found.append((entry, entry.resource))
    same = [(entry, one) for entry, one in found if is_same_test(asked, one) and is_fact(one) and value_said(one)]
    if not same:
        return None
    title = title_of(asked)
    trend = trend_of(stored.kind, title.plain, [one for _, one in same])
    providers = tuple(dict.fromkeys(entry.provider_id for entry, _ in same))
    return OverTime(trend, title.clinical, providers, len(rows) > MOST)


def is_same_test(one: Resource, other: Resource) -> bool:
    """Whether two results are of the same test: a code of the same system, else the same words. Pure."""
    ours, theirs = _identity(one), _identity(other)
    if ours or theirs:
        return bool(ours & theirs)
    words = concept_text(one.get("code")).casefold()
    return bool(words) and words == concept_text(other.get("code")).casefold()


def _identity(resource: Resource) -> set[tuple[str, str]]:
    return {(each.system, each.code) for each in _coded(resource)}


def _coded(resource: Resource) -> list[Coding]:
    return [each for each in codings(resource.get("code")) if each.code]


def _marks(resource: Resource) -> list[bytes]:
    """What must stand in the JSON of a result of the same test: most need not be parsed."""
    own = [each.code for each in _coded(resource)] or [concept_text(resource.get("code"))]
    return [each.encode() for each in own if each.isascii()] or [b'"Observation"']
