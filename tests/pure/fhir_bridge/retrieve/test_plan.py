"""FHIR-01, FHIR-02, FHIR-03: what a retrieval asks for."""

from __future__ import annotations

import pytest

from fhir_bridge.retrieve.chain import chain_of
from fhir_bridge.retrieve.offered import NOTHING, Offered, read_offered
from fhir_bridge.retrieve.plan import CORE_TYPES, EXTRA_TYPES, REFERENCED_TYPES, plan_for, with_provenance
from fhir_bridge.smart.scopes import Restriction, granted

G10_TYPES = {
    "AllergyIntolerance", "CarePlan", "CareTeam", "Condition", "Coverage", "Device", "DiagnosticReport",
    "DocumentReference", "Encounter", "Goal", "Immunization", "MedicationRequest", "MedicationDispense", "Observation",
    "Procedure", "Provenance", "QuestionnaireResponse", "RelatedPerson", "ServiceRequest", "Specimen",
}  # fmt: skip


class Everything:
    def may_read(self, type: str) -> bool:
        return True

    def search_filters(self, type: str) -> tuple[Restriction, ...]:
        return ((),)


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
    assert [one.query for one in plan.first] == [f"{type_name}?patient=p1&_count=500"]
    assert any(expected in one.query for one in plan.fallback)


CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


def test_a_token_for_some_categories_asks_for_those_only() -> None:
    """SMART-32, FHIR-03: a granular scope is asked for in its own words, and what is not granted is not asked for."""
    words = (f"patient/Observation.rs?category={CATEGORY}|{name}" for name in ("laboratory", "vital-signs"))
    plan = plan_for("p1", granted(" ".join(words)))
    observation = next(one for one in plan.types if one.type == "Observation")
    wanted = "Observation?patient=p1&category=http%3A%2F%2Fterminology.hl7.org%2FCodeSystem%2Fobservation-category%7C"
    assert [one.query for one in observation.first] == [
        f"{wanted}laboratory&_count=500", f"{wanted}vital-signs&_count=500"
    ]  # fmt: skip
    assert observation.fallback == ()
    assert observation.narrowed
    assert all(one.first == () and not one.narrowed for one in plan.types if one.type != "Observation")
    assert not plan.may_read_patient
    assert plan.referenced == ()


def test_reading_is_enough_for_what_is_read() -> None:
    """SMART-33: `.r` without `.s` reads the Patient and what is referred to, and searches nothing."""
    plan = plan_for("p1", granted("patient/Patient.r patient/Practitioner.r patient/Condition.r"))
    assert plan.may_read_patient
    assert plan.referenced == ("Practitioner",)
    assert all(one.first == () for one in plan.types)


def test_provenance_comes_along_where_the_server_takes_it() -> None:
    """FHIR-08: `_revinclude` only in searches for types of which the server says so, and only within the grant."""
    plan = plan_for("p1", Everything())
    asked = {one.type: one for one in with_provenance(plan.types, {"Condition", "Provenance"})}
    assert asked["Condition"].first[0].query == "Condition?patient=p1&_count=500&_revinclude=Provenance%3Atarget"
    assert all("_revinclude" in each.query for each in asked["Condition"].fallback)
    assert not any("_revinclude" in each.query for name in ("Provenance", "Goal") for each in asked[name].first)
    assert plan.may_search_provenance
    assert not plan_for("p1", granted("patient/Condition.rs")).may_search_provenance


def test_what_a_server_offers() -> None:
    """FHIR-08: read from its CapabilityStatement, whatever else stands there."""
    statement = {
        "resourceType": "CapabilityStatement", "fhirVersion": "4.0.1",
        "rest": [7, {"mode": "client", "resource": [{"type": "Goal"}]}, {
            "mode": "server", "operation": [{"name": "export"}],
            "resource": [
                {"type": "Condition", "searchRevInclude": ["Provenance:target"]},
                {"type": "Patient", "operation": [{"name": "$everything"}, None]}, {"type": 3}, "x",
            ],
        }],
    }  # fmt: skip
    found = read_offered(statement)
    assert found == Offered(
        "4.0.1", frozenset({"Condition", "Patient"}), frozenset({"Condition"}),
        frozenset({"export", "Patient/everything"}),
    )  # fmt: skip
    assert read_offered([]) == read_offered({"resourceType": "Patient"}) == NOTHING


def test_the_patient_id_cannot_add_parameters() -> None:
    """FHIR-17: an id with reserved characters stays one value."""
    plan = plan_for("p1&patient=p2/..", Everything())
    assert all("patient=p1%26patient%3Dp2%2F.." in one.query for each in plan.types for one in each.first)


def test_what_is_usually_long_is_asked_for_first() -> None:
    """FHIR-10, G1.1: the longest lists begin first, known pages come before what most people have few of; measurements
    by category are told apart, in whatever words the scope names the category."""
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    scopes = (
        f"patient/Goal.rs patient/Specimen.rs patient/Condition.rs patient/Observation.rs?category={system}|laboratory"
    )
    plan = plan_for("p1", granted(f"{scopes} patient/Observation.rs?category=survey"))
    chains = [chain_of(one, "https://h", {})[0] for each in plan.types for one in each.first]
    chains.sort(key=lambda one: -one.left)
    asked = [one.search.category or one.search.type for one in chains]
    assert asked == [f"{system}|laboratory", "Condition", "survey", "Specimen", "Goal"]
    assert chains[-2].left == 1.0 > chains[-1].left  # 1: as much as the last page of a search that is under way


def test_referenced_types_are_never_searched() -> None:
    """FHIR-01: persons and places belong to no patient and are only read by reference."""
    assert not {one.type for one in plan_for("p1", Everything()).types} & set(REFERENCED_TYPES)
