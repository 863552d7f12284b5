"""FHIR samples for these tests: mCODE's own examples, and small made ones."""

from __future__ import annotations

import copy
from typing import Any

import orjson

from fhir_bridge.reading.summary_model import Cancer, CancerSummary
from tests.support.testdata import testdata

SNOMED, LOINC = "http://snomed.info/sct", "http://loinc.org"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"


def example(name: str) -> dict[str, Any]:
    found = orjson.loads(testdata(f"fhir/mcode-ig-4.0.0-examples/{name}.json").read_bytes())
    assert isinstance(found, dict)
    return found


def jenny() -> list[dict[str, Any]]:
    bundle = example("Bundle-mcode-patient-bundle-jenny-m")
    later = [
        "Observation-tnm-pathologic-stage-group-jenny-m",
        "Observation-tnm-pathologic-primary-tumor-category-jenny-m",
        "Observation-tnm-pathologic-regional-nodes-category-jenny-m",
        "MedicationAdministration-cancer-related-medication-admin-doxorubicin-jenny-m",
    ]
    return [one["resource"] for one in bundle["entry"]] + [example(name) for name in later]


def without_profiles(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    plain = copy.deepcopy(resources)
    for one in plain:
        one.get("meta", {}).pop("profile", None)
    return plain


def only(summary: CancerSummary) -> Cancer:
    assert len(summary.cancers) == 1
    return summary.cancers[0]


def condition(identity: str, *codings: tuple[str, str], words: str = "", **more: Any) -> dict[str, Any]:
    coding = [{"system": system, "code": code} for system, code in codings]
    return {
        "resourceType": "Condition", "id": identity, "subject": {"reference": "Patient/p1"},
        "code": {"coding": coding, "text": words}, **more,
    }  # fmt: skip


def observation(identity: str, code: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation", "id": identity, "status": "final", "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": LOINC, "code": code}]}, **more,
    }  # fmt: skip


def medicine(
    identity: str, name: str, when: str, kind: str = "MedicationAdministration", **more: Any
) -> dict[str, Any]:
    field = "authoredOn" if kind == "MedicationRequest" else "effectiveDateTime"
    return {
        "resourceType": kind, "id": identity, "status": "completed", "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": {"text": name}, field: when, **more,
    }  # fmt: skip
