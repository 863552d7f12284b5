"""Which kind of resource goes with which part of a donation (X-03). The one place that says so. Pure.

The three parts are those of the CancerLinQ leaflet: general (who you are), clinical (medical history and test
results), therapy (treatment plans, drugs, and the outcomes of treatment).
"""

from __future__ import annotations

from typing import Any

from consent.decision import DataCategory
from vocabulary.resource import Resource

GENERAL, CLINICAL, THERAPY = DataCategory.GENERAL, DataCategory.CLINICAL, DataCategory.THERAPY

CATEGORY_OF_TYPE: dict[str, DataCategory] = {
    "Patient": GENERAL,
    "AllergyIntolerance": CLINICAL,
    "BodyStructure": CLINICAL,
    "Condition": CLINICAL,
    "DiagnosticReport": CLINICAL,
    "Encounter": CLINICAL,
    "FamilyMemberHistory": CLINICAL,
    "ImagingStudy": CLINICAL,
    "Immunization": CLINICAL,
    "Observation": CLINICAL,
    "Specimen": CLINICAL,
    "CarePlan": THERAPY,
    "Medication": THERAPY,
    "MedicationAdministration": THERAPY,
    "MedicationDispense": THERAPY,
    "MedicationRequest": THERAPY,
    "MedicationStatement": THERAPY,
    "Procedure": THERAPY,
    "ServiceRequest": THERAPY,
}

# Observations that say how the cancer answered to treatment: mCODE cancer disease status, response to cancer treatment.
_OUTCOMES = frozenset({"97509-4", "88040-1", "21976-6", "33737-8"})


def category_of(resource: Resource) -> DataCategory | None:
    """The part this resource belongs to; None for what is in no donation: notes and files, insurance, messages, and
    what is about other people (care team, family contacts, places)."""
    category = CATEGORY_OF_TYPE.get(str(resource.get("resourceType")))
    if category is CLINICAL and resource.get("resourceType") == "Observation" and _is_outcome(resource.get("code")):
        return THERAPY
    return category


def _is_outcome(code: Any) -> bool:
    codings = code.get("coding") if isinstance(code, dict) else None
    return any(
        isinstance(one, dict) and one.get("system") == "http://loinc.org" and one.get("code") in _OUTCOMES
        for one in (codings if isinstance(codings, list) else [])
    )
