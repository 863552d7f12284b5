"""How complete a record is, in words: per type as fetched, per kind as shown. "None" is said only of what was had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from fhir_bridge.reading.kinds import TYPES_OF_KIND, Kind
from fhir_bridge.retrieve.plan import CORE_TYPES, EXTRA_TYPES, REFERENCED_TYPES
from fhir_bridge.retrieve.states import State
from vocabulary.phrase import Phrase, phrase

WAITING, RUNNING, RECONNECT, STOPPED = "waiting", "running", "reconnect-needed", "stopped"
ASKED_TYPES = ("Patient", *CORE_TYPES, *EXTRA_TYPES)

TYPE_WORDS: dict[str, Phrase] = {
    "Patient": phrase("Who you are"),
    "AllergyIntolerance": phrase("Allergies"),
    "CarePlan": phrase("Care plans"),
    "CareTeam": phrase("Care teams"),
    "Condition": phrase("Health problems"),
    "Coverage": phrase("Insurance"),
    "Device": phrase("Medical devices"),
    "DiagnosticReport": phrase("Reports of tests and scans"),
    "DocumentReference": phrase("Notes and documents"),
    "Encounter": phrase("Visits"),
    "Goal": phrase("Goals"),
    "Immunization": phrase("Shots (vaccines)"),
    "MedicationRequest": phrase("Medicines that were ordered"),
    "MedicationDispense": phrase("Medicines from the pharmacy"),
    "MedicationAdministration": phrase("Medicines you were given"),
    "Medication": phrase("Names of medicines"),
    "Observation": phrase("Test results and measurements"),
    "Procedure": phrase("Operations and procedures"),
    "Provenance": phrase("Where entries came from"),
    "QuestionnaireResponse": phrase("Answers you gave"),
    "RelatedPerson": phrase("People close to you"),
    "ServiceRequest": phrase("Things that were ordered"),
    "Specimen": phrase("Samples that were taken"),
    "BodyStructure": phrase("Parts of the body"),
    "ImagingStudy": phrase("Scans"),
    "FamilyMemberHistory": phrase("Illness in your family"),
    "MedicationStatement": phrase("Medicines you said you take"),
    "Claim": phrase("Bills sent to insurance"),
    "ExplanationOfBenefit": phrase("What insurance paid"),
    "SupplyDelivery": phrase("Supplies you were given"),
    "Location": phrase("Places"),
    "Organization": phrase("Hospitals and clinics"),
    "Practitioner": phrase("Doctors, nurses and others"),
    "PractitionerRole": phrase("What they do, and where"),
    "Binary": phrase("Files attached to notes and reports"),
}


@dataclass(frozen=True)
class TypeStanding:
    """How one type fared at its newest fetch. `retrieval` says in which fetch that was."""

    type: str
    state: State
    count: int
    retrieval: UUID


@dataclass(frozen=True)
class Source:
    """One hospital's part of the record: its newest fetch, how each type fared, and when one was last finished."""

    person: UUID
    provider_id: str
    retrieval: UUID
    state: str
    started_at: datetime
    finished_at: datetime | None
    brought_at: datetime | None
    types: tuple[TypeStanding, ...]

    @property
    def under_way(self) -> bool:
        return self.state in (WAITING, RUNNING)

    @property
    def interrupted(self) -> bool:
        """The hospital wants the person to sign in again, or the connection was stopped."""
        return self.state in (RECONNECT, STOPPED)

    def state_of(self, kind: str) -> State | None:
        """The type's state, None when it was not fetched yet."""
        return next((one.state for one in self.types if one.type == kind), None)

    @property
    def lacking(self) -> tuple[TypeStanding, ...]:
        """Types that could not be had, wholly or in part."""
        bad = (State.FAILED, State.PARTIAL, State.NOT_AUTHORIZED)
        return tuple(one for one in self.types if one.state in bad)

    @property
    def unshared(self) -> int:
        """How many types the hospital did not let us have."""
        return sum(1 for one in self.types if one.state is State.NOT_AUTHORIZED)

    @property
    def still_to_come(self) -> tuple[str, ...]:
        """Types that the running fetch has not finished."""
        done = {one.type for one in self.types if one.retrieval == self.retrieval}
        return tuple(name for name in ASKED_TYPES if name not in done) if self.under_way else ()


class Gap(StrEnum):
    """What keeps a kind from being whole. NONE_THERE: all was had, and there is nothing of the kind."""

    WHOLE = "whole"
    NONE_THERE = "none-there"
    FETCHING = "fetching"
    FAILED = "failed"
    NOT_SHARED = "not-shared"
    NOT_OFFERED = "not-offered"


_WORDS_WHEN_EMPTY = {
    Gap.FETCHING: phrase("Being fetched."),
    Gap.FAILED: phrase("These could not be fetched. You may have some."),
    Gap.NOT_SHARED: phrase("You did not share these, or your hospital does not let us see them."),
    Gap.NOT_OFFERED: phrase("Your hospital does not offer these."),
    Gap.NONE_THERE: phrase("Your hospital has none of these for you."),
}
_WORDS_WHEN_SOME = {
    Gap.FETCHING: phrase("More is being fetched."),
    Gap.FAILED: phrase("Some could not be fetched. There may be more."),
    Gap.NOT_SHARED: phrase("Some were not shared with us. There may be more."),
}


def gap_of(kind: Kind, count: int, sources: Sequence[Source]) -> Gap:
    """What may be said of a kind of which `count` entries are kept. The worst news of any source decides."""
    feeding = TYPES_OF_KIND[kind]
    found = [_type_gap(name, source) for source in sources for name in feeding] or [Gap.FETCHING]
    for gap in (Gap.FAILED, Gap.NOT_SHARED, Gap.FETCHING):
        if gap in found:
            return gap
    if count:
        return Gap.WHOLE
    return Gap.NOT_OFFERED if set(found) == {Gap.NOT_OFFERED} else Gap.NONE_THERE


def _type_gap(name: str, source: Source) -> Gap:
    state = source.state_of(name)
    if state is None:
        if source.under_way:
            return Gap.FETCHING
        # A type that is read only when another names it is not asked for without the right to read it.
        return Gap.NOT_OFFERED if name in REFERENCED_TYPES and source.types else Gap.FAILED
    if state in (State.FAILED, State.PARTIAL):
        return Gap.FAILED
    if state is State.NOT_AUTHORIZED:
        return Gap.NOT_SHARED
    return Gap.NOT_OFFERED if state is State.NOT_SUPPORTED else Gap.WHOLE


def gap_words(gap: Gap, count: int) -> Phrase | None:
    """The sentence for a gap, None when the kind is whole."""
    return (_WORDS_WHEN_SOME if count else _WORDS_WHEN_EMPTY).get(gap)
