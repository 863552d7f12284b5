"""One test over time: every result of the same test in a person's record, whichever hospital sent it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import or_, tuple_
from sqlalchemy.orm import aliased

from fhir_bridge.keep_record import code_index
from fhir_bridge.named_in_entry import codes_of
from fhir_bridge.reading.quantity import value_said
from fhir_bridge.reading.shape import Coding, codings, concept_text, obj
from fhir_bridge.reading.standing import is_fact
from fhir_bridge.reading.summary_model import MarkerTrend
from fhir_bridge.reading.titles import title_of
from fhir_bridge.reading.trends import trend_of
from fhir_bridge.record import OwnRecord, StoredEntry
from fhir_bridge.tables import RecordEntry
from vocabulary.resource import Resource

MOST = 500
MOST_WINDOWS = 20


@dataclass(frozen=True)
class OverTime:
    """`trend` newest first; `providers` are the hospitals its values came from. `older`: the entry after which older
    results go on that were not read, None when there are none."""

    trend: MarkerTrend
    clinical: str
    providers: tuple[str, ...]
    older: UUID | None


def has_course(resource: Resource) -> bool:
    """Whether an entry is a measured value, which can be followed over time."""
    return resource.get("resourceType") == "Observation" and bool(obj(resource.get("valueQuantity")))


def over_time(record: OwnRecord, stored: StoredEntry, older_than: UUID | None = None) -> OverTime | None:
    """The course of the test that an entry reports: its newest MOST results, or those older than an entry.

    They are found by what was measured, so a long record costs what a short one does. None when nothing of it is a fact
    with a value.
    """
    asked = stored.resource
    for _window in range(MOST_WINDOWS):
        found, older = _window_of(record, asked, older_than)
        same = [(entry, one) for entry, one in found if is_same_test(asked, one) and is_fact(one) and value_said(one)]
        if same or older is None:
            break
        older_than = older
    if not same:
        return None
    title = title_of(asked)
    trend = trend_of(stored.kind, title.plain, [one for _, one in same])
    providers = tuple(dict.fromkeys(entry.provider_id for entry, _ in same))
    return OverTime(trend, title.clinical, providers, older)


def _window_of(
    record: OwnRecord, asked: Resource, older_than: UUID | None
) -> tuple[list[tuple[StoredEntry, Resource]], UUID | None]:
    """Up to MOST results that may be of the same test, and the last one's id where there are more.

    An entry that an older program kept has no index of what it measured: it is opened to see.
    """
    marks = _marks(asked)
    indexes = [code_index(record.ring, person, code) for person in record.persons for code in codes_of(asked)]
    query = record.stored().where(
        RecordEntry.type == "Observation",
        ~RecordEntry.mistake,
        or_(RecordEntry.code_index.in_(indexes), RecordEntry.code_index.is_(None)),
    )
    if older_than is not None:
        mark = aliased(RecordEntry)
        here = tuple_(RecordEntry.clinical_date, RecordEntry.id) < tuple_(mark.clinical_date, mark.id)
        query = query.join(mark, mark.id == older_than).where(mark.person_id.in_(record.persons), here)
    newest_first = query.order_by(RecordEntry.clinical_date.desc(), RecordEntry.id.desc()).limit(MOST + 1)
    rows = record.session.execute(newest_first).all()
    opened = [record.opened(row) for row in rows[:MOST]]
    found = [(entry, entry.resource) for entry in opened if any(mark in entry.raw for mark in marks)]
    return found, rows[MOST - 1].id if len(rows) > MOST else None


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
