"""FHIR-01, FHIR-02, FHIR-03: what a retrieval asks for."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from fhir_bridge.retrieve.plan import CORE_TYPES, EXTRA_TYPES, REFERENCED_TYPES, plan_for

G10_TYPES = {
    "AllergyIntolerance", "CarePlan", "CareTeam", "Condition", "Coverage", "Device", "DiagnosticReport",
    "DocumentReference", "Encounter", "Goal", "Immunization", "MedicationRequest", "MedicationDispense", "Observation",
    "Procedure", "Provenance", "QuestionnaireResponse", "RelatedPerson", "ServiceRequest", "Specimen",
}  # fmt: skip


@dataclass
class Everything:
    def may_search(self, type: str, category: str | None) -> bool:
        return True


@dataclass
class Only:
    allowed: set[tuple[str, str | None]]

    def may_search(self, type: str, category: str | None) -> bool:
        return (type, category) in self.allowed


def test_every_type_is_asked_for() -> None:
    """FHIR-01: all types of the g10 list are in the plan, and the referenced ones are read."""
    plan = plan_for("p1", Everything())
    assert {one.type for one in plan.types} == G10_TYPES | set(EXTRA_TYPES)
    assert set(CORE_TYPES) == G10_TYPES
    assert set(plan.referenced) == {"Medication", "Location", "Organization", "Practitioner", "PractitionerRole"}
    assert plan.may_read_patient
    assert plan.files


def test_cancer_extras_are_marked() -> None:
    """FHIR-02: the types outside US Core are asked for, and marked so that their absence is no error."""
    extras = {one.type for one in plan_for("p1", Everything()).types if one.extra}
    assert extras >= {"MedicationAdministration", "BodyStructure", "ImagingStudy", "FamilyMemberHistory"}
    assert not extras & G10_TYPES


@pytest.mark.parametrize(
    ("type_name", "expected"),
    [
        ("Observation", "category=laboratory"),
        ("Observation", "category=social-history"),
        ("Condition", "category=problem-list-item"),
        ("Condition", "category=encounter-diagnosis"),
        ("DiagnosticReport", "category=LAB"),
        ("DiagnosticReport", "category=http%3A%2F%2Floinc.org%7CLP29684-5"),
        ("DiagnosticReport", "category=http%3A%2F%2Floinc.org%7CLP7839-6"),
        ("DocumentReference", "category=clinical-note"),
        ("CarePlan", "category=assess-plan"),
        ("MedicationRequest", "intent=order%2Cplan"),
    ],
)
def test_categories_are_the_fallback(type_name: str, expected: str) -> None:
    """FHIR-03: unfiltered first; the categories stand ready for a server that refuses that."""
    plan = next(one for one in plan_for("p1", Everything()).types if one.type == type_name)
    assert [one.query for one in plan.first] == [f"{type_name}?patient=p1&_count=200"]
    assert any(expected in one.query for one in plan.fallback)


def test_a_token_for_one_category_asks_for_that_only() -> None:
    """FHIR-03: a scope narrowed to a category is respected, and what is not granted is not asked for."""
    plan = plan_for("p1", Only({("Observation", "laboratory")}))
    observation = next(one for one in plan.types if one.type == "Observation")
    assert [one.query for one in observation.first] == ["Observation?patient=p1&category=laboratory&_count=200"]
    assert observation.fallback == ()
    assert all(one.first == () for one in plan.types if one.type != "Observation")
    assert not plan.may_read_patient
    assert plan.referenced == ()


def test_the_patient_id_cannot_add_parameters() -> None:
    """FHIR-17: an id with reserved characters stays one value."""
    plan = plan_for("p1&patient=p2/..", Everything())
    assert all("patient=p1%26patient%3Dp2%2F.." in one.query for each in plan.types for one in each.first)


def test_referenced_types_are_never_searched() -> None:
    """FHIR-01: persons and places belong to no patient and are only read by reference."""
    assert not {one.type for one in plan_for("p1", Everything()).types} & set(REFERENCED_TYPES)
