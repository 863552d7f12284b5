"""What some people would rather open with their doctor: stage, pathology, genomics, new results (FHIR-19).

Nothing is kept back: a person sets for themselves what opens behind a plain question, and "show now" is one press. How
long people live with an illness is never shown unasked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from enum import StrEnum

from fhir_bridge.reading.dates import FhirDate
from fhir_bridge.reading.kinds import Kind, kind_of
from fhir_bridge.reading.shape import codes, objects, searchable, text
from fhir_bridge.reading.staging import part_of, stage_of
from fhir_bridge.reading.trends import tumor_marker
from vocabulary.phrase import Phrase, phrase
from vocabulary.resource import Resource


class Delicate(StrEnum):
    STAGE = "stage"
    PATHOLOGY = "pathology"
    GENOMICS = "genomics"
    NEW_RESULTS = "new-results"
    OUTLOOK = "outlook"


CHOOSABLE = (Delicate.STAGE, Delicate.PATHOLOGY, Delicate.GENOMICS, Delicate.NEW_RESULTS)
NAMES: dict[Delicate, Phrase] = {
    Delicate.STAGE: phrase("Stage: how far the cancer has grown or spread"),
    Delicate.PATHOLOGY: phrase("What was found in a tissue sample (pathology)"),
    Delicate.GENOMICS: phrase("Gene tests"),
    Delicate.NEW_RESULTS: phrase("New test and scan results, for the first 30 days"),
}
QUESTIONS: dict[Delicate, Phrase] = {
    Delicate.STAGE: phrase("This is about your stage. Show it now, or wait for your doctor?"),
    Delicate.PATHOLOGY: phrase("This is about your tissue sample. Show it now, or wait for your doctor?"),
    Delicate.GENOMICS: phrase("This is about your genes. Show it now, or wait for your doctor?"),
    Delicate.NEW_RESULTS: phrase("This result is new. Show it now, or wait for your doctor?"),
    Delicate.OUTLOOK: phrase("This is about how long people live with this illness. Do you want to see it?"),
}

NEW_FOR = timedelta(days=30)
_PATHOLOGY_CODES = frozenset({"11526-1", "60568-3", "22637-3", "22634-0", "34574-4", "31206-6", "22636-5", "66746-9"})
_PATHOLOGY_CATEGORIES = frozenset({"PAT", "SP", "CP", "CTH", "LP7839-6", "OSL"})
_OUTLOOK_WORDS = ("survival", "life expectancy", "mortality", "prognosis", "time to live")
_RESULTS = frozenset({"Observation", "DiagnosticReport", "ImagingStudy"})
_RESULT_KINDS = frozenset({Kind.TEST_RESULTS, Kind.SCANS, Kind.GENOMICS, Kind.NOTES_AND_REPORTS})


def topics_of(resource: Resource, asked: Collection[Delicate] = CHOOSABLE) -> frozenset[Delicate]:
    """What an entry is about, of the topics `asked` and an outlook; NEW_RESULTS means that it is a result, which is new
    for a while. Never raises."""
    found = {topic for topic in asked if topic in _IS_ABOUT and _IS_ABOUT[topic](resource)}
    words = f"{searchable(resource.get('code'))} {searchable(resource.get('type'))}"
    if any(one in words for one in _OUTLOOK_WORDS):
        found.add(Delicate.OUTLOOK)
    return frozenset(found)


def _is_stage(resource: Resource) -> bool:
    type_name = text(resource.get("resourceType"))
    if type_name == "Observation":
        return stage_of(resource, {}) is not None or part_of(resource) is not None
    return type_name == "Condition" and any(one.get("summary") for one in objects(resource.get("stage")))


def _is_pathology(resource: Resource) -> bool:
    code = codes(resource.get("code")) | codes(resource.get("type"))
    if code & _PATHOLOGY_CODES or codes(resource.get("category")) & _PATHOLOGY_CATEGORIES:
        return True
    return text(resource.get("resourceType")) == "Observation" and tumor_marker(resource) is not None


_IS_ABOUT: dict[Delicate, Callable[[Resource], bool]] = {
    Delicate.STAGE: _is_stage,
    Delicate.PATHOLOGY: _is_pathology,
    Delicate.GENOMICS: lambda resource: kind_of(resource) is Kind.GENOMICS,
    Delicate.NEW_RESULTS: lambda resource: (
        text(resource.get("resourceType")) in _RESULTS and kind_of(resource) in _RESULT_KINDS
    ),
}


def is_new(when: FhirDate | None, now: datetime) -> bool:
    """Whether a result is of the last 30 days."""
    return when is not None and when.value is not None and now - NEW_FOR <= when.sort


def folded_as(
    topics: Collection[Delicate], when: FhirDate | None, chosen: Collection[Delicate], now: datetime
) -> Phrase | None:
    """The question behind which an entry opens, None when it stands open."""
    if Delicate.OUTLOOK in topics:
        return QUESTIONS[Delicate.OUTLOOK]
    for topic in CHOOSABLE:
        if topic in topics and topic in chosen and (topic is not Delicate.NEW_RESULTS or is_new(when, now)):
            return QUESTIONS[topic]
    return None
