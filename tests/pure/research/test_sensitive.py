"""Sensitive classes are found by label, by code and by words, and stay unless switched on."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from consent.decision import ALL_CATEGORIES, DataCategory, SensitiveClass
from consent.efforts import Holds
from research.categories import CATEGORY_OF_TYPE, category_of
from research.deidentify.delivery import Source
from research.selection import Chosen, Stays, lines_of, select
from research.sensitive import sensitivity_of

SEED = b"0123456789abcdef"
SNOMED, LOINC = "http://snomed.info/sct", "http://loinc.org"
RXNORM, ICD10 = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://hl7.org/fhir/sid/icd-10-cm"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
S = SensitiveClass


def coded(system: str, code: str, kind: str = "Condition", identity: str = "x", **more: Any) -> dict[str, Any]:
    return {"resourceType": kind, "id": identity, "code": {"coding": [{"system": system, "code": code}]}, **more}


def labelled(system: str, code: str) -> dict[str, Any]:
    return coded(SNOMED, "254837009", meta={"security": [{"system": system, "code": code}]})


@pytest.mark.parametrize(
    ("resource", "found"),
    [
        (coded(SNOMED, "254837009"), set()),
        (coded(ICD10, "C50.912"), set()),
        (coded(ICD10, "F17.210"), set()),
        (coded(ICD10, "F10.20"), {S.SUBSTANCE_USE}),
        (coded(ICD10, "B20"), {S.HIV}),
        (coded(ICD10, "F33.1"), {S.MENTAL_HEALTH}),
        (coded(ICD10, "O09.90"), {S.REPRODUCTIVE}),
        (coded(ICD10, "Z15.01"), {S.GENETIC}),
        (coded(ICD10, "T74.11XA"), {S.VIOLENCE}),
        (coded(SNOMED, "66590003"), {S.SUBSTANCE_USE}),
        (coded(SNOMED, "370143000"), {S.MENTAL_HEALTH}),
        (coded(LOINC, "7918-6", "Observation"), {S.HIV}),
        (coded(LOINC, "82810-3", "Observation"), {S.REPRODUCTIVE}),
        (coded(LOINC, "69548-6", "Observation"), {S.GENETIC}),
        (coded(LOINC, "76499-3", "Observation"), {S.VIOLENCE}),
        (coded(LOINC, "718-7", "Observation"), set()),
        (coded(RXNORM, "36437", "Medication"), {S.MENTAL_HEALTH}),
        ({"resourceType": "FamilyMemberHistory"}, {S.GENETIC}),
        ({"resourceType": "Condition", "code": {"text": "Alcohol dependence, not drinking"}}, {S.SUBSTANCE_USE}),
        ({"resourceType": "Condition", "code": {"text": "HIV"}}, {S.HIV}),
        ({"resourceType": "AllergyIntolerance", "reaction": [{"description": "Hives"}]}, set()),
        ({"resourceType": "Condition", "contained": [coded(SNOMED, "86406008")]}, {S.HIV}),
        ({"resourceType": "Condition", "extension": [{"valueCoding": {"system": ACT, "code": "SDV"}}]}, {S.VIOLENCE}),
        *[
            (labelled(ACT, label), {one})
            for label, one in {
                "ETH": S.SUBSTANCE_USE, "ETHUD": S.SUBSTANCE_USE, "SUD": S.SUBSTANCE_USE, "HIV": S.HIV,
                "PSY": S.MENTAL_HEALTH, "SEX": S.REPRODUCTIVE, "GDIS": S.GENETIC, "SDV": S.VIOLENCE,
            }.items()
        ],
    ],
)  # fmt: skip
def test_classes_are_found(resource: dict[str, Any], found: set[SensitiveClass]) -> None:
    """CON-06: by label, code, or word, wherever in the resource."""
    assert sensitivity_of(resource).classes == found


@pytest.mark.parametrize("label", [(CONFIDENTIALITY, "R"), (CONFIDENTIALITY, "V"), (ACT, "TBOO")])
def test_restricted_entries_stay(label: tuple[str, str]) -> None:
    """CON-06: R and V, and a sensitivity we have no switch for, stay though every class is switched on."""
    assert not sensitivity_of(labelled(*label)).may_leave(frozenset(S))
    assert sensitivity_of(labelled(CONFIDENTIALITY, "N")).may_leave(frozenset())
    both = labelled(*label)
    both["meta"]["security"].append({"system": ACT, "code": "HIV"})
    assert sensitivity_of(both).may_leave(frozenset({S.HIV}))


def _fates(resources: list[dict[str, Any]], chosen: Chosen) -> list[Stays | None]:
    found = [Source("h", one["resourceType"], one["id"], orjson.dumps(one)) for one in resources]
    return [fate.stays for fate in select(found, chosen, SEED, 2026)]


PRESCRIPTION = {
    "resourceType": "MedicationRequest", "id": "rx", "status": "active", "intent": "order",
    "medicationReference": {"reference": "Medication/m"}, "subject": {"reference": "Patient/p"},
}  # fmt: skip
MEDICINE = coded(RXNORM, "36437", "Medication", "m")
MISTAKE = coded(SNOMED, "254837009", status="entered-in-error")
NOTE = {"resourceType": "DocumentReference", "id": "n", "status": "current"}


@pytest.mark.parametrize("holds", list(Holds))
def test_what_leads_to_something_sensitive_stays_too(holds: Holds) -> None:
    """CON-06: a prescription whose medicine is sensitive stays with it, and both leave when the class is on."""
    off = Chosen(ALL_CATEGORIES, frozenset(), holds)
    on = Chosen(ALL_CATEGORIES, frozenset({S.MENTAL_HEALTH}), holds)
    assert _fates([PRESCRIPTION, MEDICINE], off) == [Stays.SENSITIVE, Stays.SENSITIVE]
    assert _fates([PRESCRIPTION, MEDICINE], on) == [None, None]


@pytest.mark.parametrize("holds", list(Holds))
def test_mistakes_notes_and_other_parts_stay(holds: Holds) -> None:
    """X-03, HIP-23: never a mistake, never a note, and only the parts that were chosen."""
    chosen = Chosen(frozenset({DataCategory.CLINICAL}), frozenset(S), holds)
    assert _fates([MISTAKE, NOTE, PRESCRIPTION], chosen) == [Stays.MISTAKE, Stays.NEVER, Stays.NOT_CHOSEN]


def test_each_kind_has_one_part() -> None:
    """X-03: general, clinical, therapy: who you are, what you have, and what is done about it."""
    assert set(CATEGORY_OF_TYPE.values()) == ALL_CATEGORIES
    assert category_of({"resourceType": "Patient"}) is DataCategory.GENERAL
    assert category_of(coded(LOINC, "718-7", "Observation")) is DataCategory.CLINICAL
    assert category_of(coded(LOINC, "97509-4", "Observation")) is DataCategory.THERAPY
    assert category_of({"resourceType": "DocumentReference"}) is None
    assert category_of({"resourceType": ["Patient"], "code": 7}) is None


def test_without_the_general_part_names_stay() -> None:
    """X-03: an effort that works with names gets none when the person did not tick General; with it, the bytes."""
    resource = coded(SNOMED, "254837009", subject={"reference": "Patient/p", "display": "Zebediah"})
    resource |= {"text": {"div": "Zebediah"}, "contained": [{"resourceType": "Patient", "name": "Zebediah"}]}
    raw = orjson.dumps(resource, option=orjson.OPT_INDENT_2)
    found = [Source("h", "Condition", "x", raw)]
    without = select(found, Chosen(frozenset({DataCategory.CLINICAL}), frozenset(), Holds.IDENTIFIABLE), SEED, 2026)
    whole = select(found, Chosen(ALL_CATEGORIES, frozenset(), Holds.IDENTIFIABLE), SEED, 2026)
    (line,) = lines_of(without, Holds.IDENTIFIABLE)
    assert b"Zebediah" not in line
    assert b"254837009" in line
    assert lines_of(whole, Holds.IDENTIFIABLE) == [raw.replace(b"\n", b" ")]


def test_pictures_and_files_inside_an_entry_stay() -> None:
    """HIP-23: a report's PDF and a photograph do not ride along, for no list can tell what is in them."""
    report = coded(LOINC, "22637-3", "DiagnosticReport", presentedForm=[{"data": "JVBERi0"}], photo=[{"data": "x"}])
    found = [Source("h", "DiagnosticReport", "x", orjson.dumps(report))]
    (line,) = lines_of(select(found, Chosen(ALL_CATEGORIES, frozenset(), Holds.IDENTIFIABLE), SEED, 2026),
                       Holds.IDENTIFIABLE)  # fmt: skip
    assert set(orjson.loads(line)) == {"resourceType", "id", "code"}
