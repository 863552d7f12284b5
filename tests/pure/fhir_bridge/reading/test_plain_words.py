"""Plain words for problems, vaccines, coded results and the labels of an entry: in the reader's language."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_bridge.reading import answers, problem_names, vaccine_names
from fhir_bridge.reading.answers import answer_said, result_said
from fhir_bridge.reading.entry import read_entry
from fhir_bridge.reading.line import read_line
from fhir_bridge.reading.shape import LOINC, SNOMED
from fhir_bridge.reading.titles import title_of
from vocabulary.phrase import Phrase


def _coded(system: str, code: str, display: str = "") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}]}


@pytest.mark.parametrize("module", [problem_names, vaccine_names, answers], ids=lambda one: one.__name__)
def test_a_code_has_one_name(module: Any) -> None:
    """FHIR-11: no code stands twice with two meanings, where the later one would win unseen."""
    rows = module._ANSWERS if module is answers else module._NAMES
    codes = [(row[0] if len(row) == 3 else "", code) for row in rows for code in row[-1].split()]
    assert len(codes) == len(set(codes))


def test_a_problem_has_its_plain_name_and_the_clinical_one_beside() -> None:
    """FHIR-11: what many people with cancer also have; a code that says more keeps the provider's words."""
    known = {"resourceType": "Condition", "code": _coded(SNOMED, "38341003", "Hypertensive disorder (disorder)")}
    title = title_of(known)
    assert isinstance(title.plain, Phrase)
    assert (title.plain.msgid, title.clinical) == ("High blood pressure", "Hypertensive disorder")
    more = {"resourceType": "Condition", "code": _coded("http://hl7.org/fhir/sid/icd-10-cm", "E11.22", "With kidneys")}
    assert title_of(more).plain == "With kidneys"
    unsure = known | {"verificationStatus": _coded("", "unconfirmed")}
    assert not isinstance(title_of(unsure).plain, Phrase)


def test_a_vaccine_is_known_by_cvx_alone() -> None:
    """FHIR-11: the same digits of another code system are something else."""
    cvx = {"resourceType": "Immunization", "vaccineCode": _coded("http://hl7.org/fhir/sid/cvx", "8", "Hep B, ped")}
    assert getattr(title_of(cvx).plain, "msgid", "") == "Hepatitis B shot"
    other = {"resourceType": "Immunization", "vaccineCode": _coded("urn:own", "08", "Something of ours")}
    assert title_of(other).plain == "Something of ours"


def test_a_coded_result_is_said_in_words() -> None:
    """FHIR-11: by the code and its system; the provider's words where we have none; how the cancer is doing first."""
    found = {"resourceType": "Observation", "valueCodeableConcept": _coded(LOINC, "LA9634-2", "Absent")}
    assert getattr(answer_said(found), "msgid", "") == "not found"
    unknown = {"resourceType": "Observation", "valueCodeableConcept": _coded("urn:own", "LA9634-2", "Own word")}
    assert answer_said(unknown) == "Own word"
    status = {
        "resourceType": "Observation",
        "code": _coded(LOINC, "97509-4"),
        "valueCodeableConcept": _coded(SNOMED, "103338009", "In full remission"),
    }
    words = getattr(result_said(status), "msgid", "")
    assert words == "No sign of cancer at the last check"
    assert getattr(read_line(status).value_text, "msgid", "") == words
    assert [getattr(one.value, "msgid", "") for one in read_entry(status, lambda _: None).facts] == [words]


def test_labels_and_the_standards_own_codes_are_in_words() -> None:
    """FHIR-11: no element of a usual entry is called by its name in the standard."""
    dispense = {
        "resourceType": "MedicationDispense",
        "authorizingPrescription": [{"display": "Anastrozole"}],
        "daysSupply": {"value": 90, "unit": "days"},
    }
    note = {"resourceType": "DocumentReference", "docStatus": "final", "category": [{"text": "Clinical Note"}]}
    person = {"resourceType": "Patient", "maritalStatus": {"text": "M"}, "communication": [{"language": {"text": "x"}}]}
    listed = {"resourceType": "Condition", "category": [{"text": "Problem List Item"}]}
    for resource in (dispense, note, person, listed):
        facts = read_entry(resource, lambda _: None).facts
        assert facts
        assert [one.label for one in facts if isinstance(one.label, str)] == []
    words = {
        getattr(one.value, "msgid", "") for r in (note, person, listed) for one in read_entry(r, lambda _: None).facts
    }
    assert {"note", "final", "married", "on your list of health problems"} <= words


def test_people_are_told_by_what_they_do() -> None:
    """FHIR-08, FHIR-11: each member of a care team under their role, a place and a clinic by their name, and nobody is
    said to lack a day."""
    clinic = {"resourceType": "Organization", "id": "o", "name": "Riverside", "type": [{"text": "Healthcare Provider"}]}
    nurse = {"resourceType": "Practitioner", "id": "n", "name": [{"text": "Kim Park"}]}
    team = {
        "resourceType": "CareTeam", "id": "t", "status": "active", "managingOrganization": [{"reference": "x/o"}],
        "participant": [
            {"role": [{"text": "Doctor"}], "member": {"display": "Dr. Okafor"}},
            {"role": [_coded(SNOMED, "1", "Nurse (occupation)")], "member": {"reference": "x/n"}},
        ],
    }  # fmt: skip
    view = read_entry(team, {"x/o": clinic, "x/n": nurse}.get)
    said = [(str(fact.label), str(fact.value)) for fact in view.facts]
    assert {("Doctor", "Dr. Okafor"), ("Nurse", "Kim Park"), ("Run by", "Riverside")} <= set(said)
    assert [label for label, _value in said].count("Who") == 0
    assert not view.is_of_a_day
    assert not read_line(nurse).is_of_a_day
    assert read_line({"resourceType": "Condition", "id": "c"}).is_of_a_day
    mother = {"resourceType": "FamilyMemberHistory", "id": "m", "relationship": {"text": "mother"}}
    assert (str(read_line(mother).title), read_line(mother).clinical) == ("Illness in your family: mother", "")
