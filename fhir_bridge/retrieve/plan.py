"""What to ask the provider for: the types of FHIR-01 and FHIR-02, with the categories of FHIR-03.

Each type is asked for once without a filter. Servers that refuse that, or tokens that cover only some categories,
are asked category by category (US Core 6.1.0, "Mandatory Search Parameters").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

PAGE_HINT = 200

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

    def may_search(self, type: str, category: str | None) -> bool:
        """Whether `type` may be searched, in `category` only, or (None) without a filter."""
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

    Both empty: the token does not cover the type.
    """

    type: str
    first: tuple[Search, ...]
    fallback: tuple[Search, ...]
    extra: bool


@dataclass(frozen=True)
class Plan:
    """Everything to ask for: the Patient by id, then the types, then what they refer to."""

    patient_id: str
    may_read_patient: bool
    types: tuple[TypePlan, ...]
    referenced: tuple[str, ...]
    files: bool


def plan_for(patient_id: str, granted: Granted) -> Plan:
    """The plan for `patient_id` (the token's patient context) within `granted`."""
    types = tuple(_type_plan(name, patient_id, granted, name in EXTRA_TYPES) for name in CORE_TYPES + EXTRA_TYPES)
    return Plan(
        patient_id=patient_id,
        may_read_patient=granted.may_search("Patient", None),
        types=types,
        referenced=tuple(name for name in REFERENCED_TYPES if granted.may_search(name, None)),
        files=granted.may_search("DocumentReference", None) or granted.may_search("Binary", None),
    )


def _type_plan(name: str, patient_id: str, granted: Granted, extra: bool) -> TypePlan:
    by_category = tuple(
        _search(name, patient_id, ("category", category))
        for category in CATEGORIES.get(name, ())
        if granted.may_search(name, category)
    )
    if granted.may_search(name, None):
        other = tuple(_search(name, patient_id, pair) for pair in _OTHER_FALLBACKS.get(name, ()))
        return TypePlan(name, (_search(name, patient_id, None),), by_category + other, extra)
    return TypePlan(name, by_category, (), extra)


def _search(name: str, patient_id: str, pair: tuple[str, str] | None) -> Search:
    query = f"{name}?patient={quote(patient_id, safe='')}"
    if pair is not None:
        query += f"&{pair[0]}={quote(pair[1], safe='')}"
    category = pair[1] if pair is not None and pair[0] == "category" else None
    return Search(name, category, f"{query}&_count={PAGE_HINT}")
