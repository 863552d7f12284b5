"""MC-08, MC-09: medicines and procedures as courses of treatment."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_bridge.reading.entry import read_entry
from fhir_bridge.reading.summary import summarise
from tests.pure.fhir_bridge.reading.samples import ICD, condition, example, jenny, medicine


def test_doses_become_courses() -> None:
    """MC-08: doses given together are one regimen; a long pause begins a new course."""
    doses = [
        medicine(f"{drug}{number}", drug, f"2024-0{5 + number}-01")
        for number in range(4)
        for drug in ("docetaxel", "cyclophosphamide")
    ] + [medicine("again", "docetaxel", "2026-01-01")]
    first, second = summarise(doses).treatments
    assert (first.names, first.times) == (("docetaxel", "cyclophosphamide"), 4)
    assert first.start is not None
    assert first.end is not None
    assert (first.start.text, first.end.text) == ("2024-05-01", "2024-08-01")
    assert (second.names, second.times) == (("docetaxel",), 1)


def test_stopped_says_why() -> None:
    """MC-08: the mCODE example of a stopped medicine tells why."""
    (treatment,) = summarise(
        [example("MedicationRequest-cancer-related-medication-request-cisplatin-stopped")]
    ).treatments
    assert treatment.names == ("cisplatin",)
    assert str(treatment.status) == "stopped early"
    assert str(treatment.reason_stopped) == "it was too hard on the body"


@pytest.mark.parametrize(
    ("entry", "counts"),
    [
        (medicine("m", "methotrexate 2.5 MG Oral Tablet", "2024", "MedicationRequest"), False),
        (medicine("m", "prednisone 5 MG", "2024", "MedicationRequest"), False),
        (medicine("m", "lisinopril 10 MG", "2024", "MedicationRequest"), False),
        (medicine("m", "methotrexate", "2024", reasonCode=[{"coding": [{"system": ICD, "code": "C91.00"}]}]), True),
        (medicine("m", "Some new drug", "2024", reasonReference=[{"reference": "Condition/c"}]), True),
        (medicine("m", "PACLitaxel 100 MG Injection", "2024"), True),
    ],
)
def test_medicines_for_other_illnesses(entry: dict[str, Any], counts: bool) -> None:
    """MC-08: what is also given for other illnesses is a cancer treatment only when the record says so."""
    found = summarise([condition("c", (ICD, "C91.00")), entry]).treatments
    assert bool(found) is counts


@pytest.mark.parametrize(
    ("words", "cancer", "kind"),
    [
        ("Mastectomy of left breast", "C50.912", "surgery"),
        ("Mastectomy of left breast", "C61", None),
        ("Colonoscopy", "C18.7", None),
        ("Biopsy of breast", "C50.912", None),
        ("External beam radiation therapy procedure (procedure)", "C50.912", "radiation"),
        ("Combined chemotherapy and radiation therapy (procedure)", "C34.11", "chemo-radiation"),
        ("Dental surgical procedure", "C34.11", None),
    ],
)
def test_procedures(words: str, cancer: str, kind: str | None) -> None:
    """MC-08: operations on the cancer's organ and radiation are treatments; looking and other care are not."""
    procedure = {
        "resourceType": "Procedure", "id": "p", "status": "completed", "performedDateTime": "2024-01-02",
        "code": {"text": words},
    }  # fmt: skip
    found = summarise([condition("c", (ICD, cancer)), procedure]).treatments
    assert [one.kind for one in found] == ([kind] if kind else [])


def test_a_course_of_radiation_and_an_operation() -> None:
    """MC-09: sessions, days, how, how much and where of a course of radiation; what an operation was for."""
    course = example("Procedure-radiotherapy-treatment-summary-chest-wall-jenny-m")
    volume = {"resourceType": "BodyStructure", "location": {"text": "Chest wall"}}
    facts = read_entry(course, lambda _name: volume).facts
    ways = [fact.value for fact in facts if str(fact.label) == "Kind of radiation"]
    assert len(ways) == 2
    assert str(ways[0]).endswith("Volumetric Modulated Arc Therapy")
    found = {str(fact.label): str(fact.value) for fact in facts}
    given = [str(fact.value) for fact in facts if str(fact.label) == "Radiation given"]
    assert given[0] == "6000 cGy in 30 sessions: Chest wall"
    assert len(given) > 1
    assert (found["Sessions"], found["What it is for"]) == ("31", "meant to cure")
    (told,) = [one for one in summarise([*jenny(), course]).treatments if one.kind == "radiation"]
    assert (told.times, told.start and told.start.text, told.end and told.end.text) == (31, "2018-08-15", "2018-10-25")
    surgery = read_entry(example("Procedure-cancer-related-surgical-procedure-lobectomy"), lambda _name: None)
    said = {str(fact.label) for fact in surgery.facts}
    assert {"What it is for", "Where on the body", "Why"} & said


def statement(identity: str, drug: str, start: str | None, **more: Any) -> dict[str, Any]:
    """Somebody said that a medicine is or was taken."""
    said = medicine(identity, drug, "2024", "MedicationStatement", **more)
    said.pop("authoredOn", None)
    said.pop("effectiveDateTime", None)
    return said | ({"effectivePeriod": {"start": start}} if start else {}) | {"dateAsserted": "2026-01-01"}


def test_what_was_told_is_said_to_be_told() -> None:
    """MC-08, FHIR-03: a medicine that nobody there ordered is a treatment on the word of who told it."""
    by_you = statement("s1", "letrozole", "2019-02-01", informationSource={"reference": "Patient/p"}, status="active")
    by_others = statement("s2", "docetaxel", "2015-02-01", status="completed")
    reported = medicine("r", "tamoxifen", "2017-01-01", "MedicationRequest", reportedBoolean=True)
    found = {one.names[0]: one for one in summarise([by_you, by_others, reported]).treatments}
    assert {name: str(one.told) for name, one in found.items()} == {
        "letrozole": "as you told your hospital", "docetaxel": "written down as taken",
        "tamoxifen": "written down as taken",
    }  # fmt: skip
    assert found["letrozole"].ongoing
    assert found["letrozole"].start is not None
    assert found["letrozole"].start.text == "2019-02-01"


@pytest.mark.parametrize("start", [None, "2020-01-15", "2019-06-01"])
def test_what_was_told_is_never_told_twice(start: str | None) -> None:
    """MC-08: beside an order of the same medicine of the same time a statement adds nothing; what lies years before
    does."""
    ordered = medicine("m", "anastrozole", "2020-01-01", "MedicationRequest")
    (one,) = summarise([statement("s", "anastrozole", start), ordered]).treatments
    assert one.told is None
    assert one.keys == ("MedicationRequest/m",)
    before = summarise([statement("s", "anastrozole", "2009"), ordered]).treatments
    assert [each.told is None for each in before] == [False, True]


@pytest.mark.parametrize("more", [{"status": "draft"}, {"intent": "proposal"}, {"status": "cancelled"}])
def test_what_nobody_ordered_is_no_treatment(more: dict[str, Any]) -> None:
    """MC-08: a draft, a proposal and an order taken back are none that was given; an order is."""
    order = medicine("m", "paclitaxel", "2024-01-01", "MedicationRequest", intent="order")
    assert len(summarise([order]).treatments) == 1
    assert summarise([order | more]).treatments == ()


@pytest.mark.parametrize("status", ["not-taken", "intended", "entered-in-error"])
def test_what_was_not_taken_is_no_treatment(status: str) -> None:
    """FHIR-13: a medicine that was only meant, or not taken, is none that was."""
    assert summarise([statement("s", "letrozole", "2019-02-01", status=status)]).treatments == ()
