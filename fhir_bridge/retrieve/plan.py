"""What to ask the provider for: the types of FHIR-01 and FHIR-02, with the categories of FHIR-03.

Each type is asked for once without a filter. Servers that refuse that, or tokens that cover only some categories,
are asked category by category (US Core 6.1.0, "Mandatory Search Parameters").
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import quote

PAGE_HINT = 500
SMALL_PAGE = 20
"""When an answer was too large to take: entries with whole files inside."""
COUNT = f"&_count={PAGE_HINT}"
REVINCLUDE = "&_revinclude=Provenance%3Atarget"
_COUNT, _SINCE = re.compile(r"&_count=\d+"), re.compile(r"&_lastUpdated=ge[^&]*")

REFERENCED_TYPES = ("Medication", "Location", "Organization", "Practitioner", "PractitionerRole")
"""Read by reference after the searches; they belong to no patient."""

CORE_TYPES = (
    "AllergyIntolerance", "CarePlan", "CareTeam", "Condition", "Coverage", "Device", "DiagnosticReport",
    "DocumentReference", "Encounter", "Goal", "Immunization", "MedicationRequest", "MedicationDispense",
    "Observation", "Procedure", "Provenance", "QuestionnaireResponse", "RelatedPerson", "ServiceRequest", "Specimen",
)  # fmt: skip
"""US Core types searched by patient (FHIR-01), Patient itself is read."""

EXTRA_TYPES = (
    "MedicationAdministration", "BodyStructure", "ImagingStudy", "FamilyMemberHistory",
    "MedicationStatement", "Claim", "ExplanationOfBenefit", "SupplyDelivery",
)  # fmt: skip
"""Outside US Core: needed for cancer (FHIR-02), or simply part of many charts; not having them is no error."""

OTHER_TYPES = (
    "Account", "AdverseEvent", "Appointment", "AppointmentResponse", "ChargeItem", "ClaimResponse",
    "ClinicalImpression", "Communication", "CommunicationRequest", "Composition", "Consent",
    "CoverageEligibilityResponse", "DetectedIssue",
    "DeviceRequest", "DeviceUseStatement", "DocumentManifest", "EpisodeOfCare", "Flag", "ImmunizationEvaluation",
    "ImmunizationRecommendation", "List", "MeasureReport", "Media", "MolecularSequence", "NutritionOrder",
    "RequestGroup", "ResearchSubject", "RiskAssessment", "SupplyRequest", "Task", "VisionPrescription",
)  # fmt: skip
"""The rest of a patient's compartment (FHIR R4 compartmentdefinition-patient.html)."""

_LOINC = "http://loinc.org|"

CATEGORIES: dict[str, tuple[str, ...]] = {
    "Observation": (
        "laboratory", "vital-signs", "social-history", "survey", "imaging", "procedure", "exam", "therapy",
        "activity", "sdoh", "functional-status", "disability-status", "cognitive-status",
    ),
    "Condition": ("problem-list-item", "health-concern", "encounter-diagnosis"),
    "DiagnosticReport": ("LAB", _LOINC + "LP29684-5", _LOINC + "LP29708-2", _LOINC + "LP7839-6"),
    "DocumentReference": ("clinical-note",),
    "CarePlan": ("assess-plan",),
}  # fmt: skip

_OTHER_FALLBACKS: dict[str, tuple[tuple[str, str], ...]] = {
    "MedicationRequest": (("intent", "order,plan"),),
    "CareTeam": (("status", "active"),),
}


class Granted(Protocol):
    """What the token may do, from the scopes that were granted."""

    def may_read(self, type: str) -> bool:
        """Whether resources of `type` may be read by id."""
        ...

    def search_filters(self, type: str) -> tuple[tuple[tuple[str, str], ...], ...]:
        """The searches that were granted: `()` none, `((),)` the whole type, else the parameters of each (SMART-32)."""
        ...


@dataclass(frozen=True)
class Search:
    """One search: `query` is relative to the FHIR base, e.g. `Condition?patient=p1&_count=200`."""

    type: str
    category: str | None
    query: str


@dataclass(frozen=True)
class TypePlan:
    """How to get one type: `first` always, `fallback` only when every search of `first` is refused.

    Both empty: the token does not cover the type. `narrowed`: it covers only a part of it (a granular scope).
    """

    type: str
    first: tuple[Search, ...]
    fallback: tuple[Search, ...]
    extra: bool
    narrowed: bool = False


@dataclass(frozen=True)
class Plan:
    """Everything to ask for: the Patient by id, then the types, then what they refer to. `others`: granted types that
    are taken where the server gives all it has in one answer (FHIR-15), and never searched one by one."""

    patient_id: str
    may_read_patient: bool
    types: tuple[TypePlan, ...]
    referenced: tuple[str, ...]
    files: bool
    may_search_provenance: bool = False
    others: tuple[str, ...] = ()

    @property
    def granted(self) -> frozenset[str]:
        """The types that the token covers, wholly or in part."""
        return frozenset(one.type for one in self.types if one.first)


def plan_for(patient_id: str, granted: Granted) -> Plan:
    """The plan for `patient_id` (the token's patient context) within `granted`."""
    types = tuple(_type_plan(name, patient_id, granted, name in EXTRA_TYPES) for name in CORE_TYPES + EXTRA_TYPES)
    return Plan(
        patient_id=patient_id,
        may_read_patient=granted.may_read("Patient"),
        types=types,
        referenced=tuple(name for name in REFERENCED_TYPES if granted.may_read(name)),
        files=granted.may_read("DocumentReference") or granted.may_read("Binary"),
        may_search_provenance=() in granted.search_filters("Provenance"),
        others=tuple(name for name in OTHER_TYPES if granted.may_read(name)),
    )


def with_provenance(types: tuple[TypePlan, ...], revincluding: Collection[str]) -> tuple[TypePlan, ...]:
    """The plans with `_revinclude=Provenance:target` in the searches for the types of which the server says that it
    takes it (FHIR-08)."""
    return tuple(
        replace(one, first=_asking_back(one.first), fallback=_asking_back(one.fallback))
        if one.type in revincluding and one.type != "Provenance"
        else one
        for one in types
    )


NOT_UNDERSTOOD = frozenset({400, 404, 406, 422, 500, 501})


def simpler(url: str, status: int | None, *, too_large: bool, known: bool) -> str | None:
    """A simpler way to ask for a first page that was not understood; None when there is none, or it was answered.

    Some servers name what they then do not take (FHIR-08). `known`: the server says that it has this type, so that a
    refusal can be about how it was asked.
    """
    if too_large:
        return url.replace(COUNT, f"&_count={SMALL_PAGE}") if COUNT in url else None
    if status not in NOT_UNDERSTOOD:
        return None
    if REVINCLUDE in url:
        return url.replace(REVINCLUDE, "")
    if known and status in (400, 422):
        for asked in (_SINCE, _COUNT):
            if asked.search(url):
                return asked.sub("", url)
    return None


def since(types: tuple[TypePlan, ...], moments: Mapping[str, str]) -> tuple[TypePlan, ...]:
    """The plans with what changed since a moment asked for only, for the types named (FHIR-16)."""
    return tuple(
        replace(one, first=_after(one.first, moments[one.type]), fallback=_after(one.fallback, moments[one.type]))
        if one.type in moments
        else one
        for one in types
    )


def _after(searches: tuple[Search, ...], moment: str) -> tuple[Search, ...]:
    return tuple(replace(one, query=f"{one.query}&_lastUpdated=ge{quote(moment, safe='')}") for one in searches)


def _asking_back(searches: tuple[Search, ...]) -> tuple[Search, ...]:
    return tuple(replace(one, query=one.query + REVINCLUDE) for one in searches)


def _type_plan(name: str, patient_id: str, granted: Granted, extra: bool) -> TypePlan:
    """A granular scope is asked for in its own words: another spelling of the category might be refused."""
    filters = granted.search_filters(name)
    if () not in filters:
        return TypePlan(name, tuple(_search(name, patient_id, each) for each in filters), (), extra, bool(filters))
    by_category = (_search(name, patient_id, (("category", each),)) for each in CATEGORIES.get(name, ()))
    other = (_search(name, patient_id, (pair,)) for pair in _OTHER_FALLBACKS.get(name, ()))
    return TypePlan(name, (_search(name, patient_id, ()),), (*by_category, *other), extra)


def _search(name: str, patient_id: str, narrowing: tuple[tuple[str, str], ...]) -> Search:
    pairs = (("patient", patient_id), *narrowing)
    query = "&".join(f"{key}={quote(value, safe='')}" for key, value in pairs)
    return Search(name, dict(narrowing).get("category"), f"{name}?{query}{COUNT}")
