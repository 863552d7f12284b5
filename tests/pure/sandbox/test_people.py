"""The invented people: always the same, well formed, complete, and as varied as the demo needs."""

from __future__ import annotations

import base64
import hashlib
import importlib
import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from sandbox.people import SyntheticPerson, population
from sandbox.people.documents import NOTES
from sandbox.people.pdf import one_page

PEOPLE = population()
CHARTS = {person.id: person.resources() for person in PEOPLE}
each_person = pytest.mark.parametrize("person", PEOPLE, ids=lambda p: p.id)


def everything() -> Iterator[dict[str, Any]]:
    for chart in CHARTS.values():
        yield from chart


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


@each_person
def test_same_bytes_twice(person: SyntheticPerson) -> None:
    """Determinism: a chart made twice is the same, byte for byte, and callers cannot spoil it for each other."""
    again = person.resources()
    assert orjson.dumps(again) == orjson.dumps(CHARTS[person.id])
    again[-1]["id"] = "spoiled"
    assert person.resources()[-1]["id"] != "spoiled"


@each_person
def test_resources_are_strict_fhir(person: SyntheticPerson) -> None:
    """FHIR-01: every resource is read by fhirclient's model in strict mode."""
    for resource in CHARTS[person.id]:
        kind = resource["resourceType"]
        model = getattr(importlib.import_module(f"fhirclient.models.{kind.lower()}"), kind)
        model(resource, strict=True)


@each_person
def test_references_resolve_and_ids_are_unique(person: SyntheticPerson) -> None:
    """Every literal reference is found in the same chart; ids are legal and used once; contained ones exist."""
    chart = CHARTS[person.id]
    keys = [f"{r['resourceType']}/{r['id']}" for r in chart]
    assert len(keys) == len(set(keys))
    assert all(re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", r["id"]) for r in chart)
    for resource in chart:
        inside = {f"#{c['id']}" for c in resource.get("contained", [])}
        missing = [r for r in references(resource) if r not in keys and r not in inside]
        assert not missing, (resource["id"], missing)
        if resource["resourceType"] == "DocumentReference":
            url = resource["content"][0]["attachment"].get("url")
            assert url is None or url in keys


@each_person
def test_each_resource_names_this_patient_only(person: SyntheticPerson) -> None:
    """FHIR-17: no chart names another patient."""
    named = {r for r in references(CHARTS[person.id]) if r.startswith("Patient/")}
    assert named == {f"Patient/{person.id}"}


@each_person
def test_versions_and_times(person: SyntheticPerson) -> None:
    """Every resource carries meta.versionId and a full instant in meta.lastUpdated."""
    for resource in CHARTS[person.id]:
        assert resource["meta"]["versionId"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", resource["meta"]["lastUpdated"])


def test_enough_different_people() -> None:
    """Stage A: at least twelve people, seven at riverside, five at lakeside, five languages, a wide range of ages."""
    assert sum(p.hospital == "riverside" for p in PEOPLE) >= 7
    assert sum(p.hospital == "lakeside" for p in PEOPLE) >= 5
    assert {p.language for p in PEOPLE} == {"en", "es", "zh", "ar", "vi"}
    assert max(p.birth_date.year for p in PEOPLE) - min(p.birth_date.year for p in PEOPLE) > 50
    assert len({p.cancer for p in PEOPLE}) >= 12
    assert len({(p.hospital, p.mrn) for p in PEOPLE}) == len({p.id for p in PEOPLE}) == len(PEOPLE)
    assert all(re.fullmatch(r"\+1-\d{3}-555-01\d\d", p.phone) for p in PEOPLE)


def test_types_and_notes_are_all_there() -> None:
    """FHIR-01, FHIR-02, FHIR-04: every type of the requirement and all ten note types appear."""
    wanted = (
        "Patient AllergyIntolerance CarePlan CareTeam Condition Coverage Device DiagnosticReport DocumentReference "
        "Encounter Goal Immunization MedicationRequest MedicationDispense Observation Procedure Provenance "
        "QuestionnaireResponse RelatedPerson ServiceRequest Specimen Medication Location Organization Practitioner "
        "PractitionerRole MedicationAdministration BodyStructure ImagingStudy FamilyMemberHistory Binary"
    )
    assert set(wanted.split()) == {r["resourceType"] for r in everything()}
    notes = {r["type"]["coding"][0]["code"] for r in everything() if r["resourceType"] == "DocumentReference"}
    assert notes == {code for code, _ in NOTES.values()}


def test_attachments_match_their_size_and_hash() -> None:
    """FHIR-11: the bytes of each file have the size and SHA-1 that its attachment states; PDFs are PDFs."""
    files = {f"Binary/{r['id']}": base64.b64decode(r["data"]) for r in everything() if r["resourceType"] == "Binary"}
    kinds = set()
    for resource in everything():
        if resource["resourceType"] != "DocumentReference":
            continue
        attachment = resource["content"][0]["attachment"]
        data = files[attachment["url"]] if "url" in attachment else base64.b64decode(attachment["data"])
        assert attachment["size"] == len(data)
        assert attachment["hash"] == base64.b64encode(hashlib.sha1(data).digest()).decode()
        assert (attachment["contentType"] == "application/pdf") == data.startswith(b"%PDF-1.4")
        kinds.add(attachment["contentType"].split(";")[0])
    assert kinds == {"application/pdf", "text/html", "text/plain"}


def test_pdf_offsets_point_at_their_objects() -> None:
    """The hand-written PDF's cross-reference table is right, parentheses and backslashes included."""
    made = one_page("A (b) \\ c", ["line (1)"] * 60)
    start = int(made.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    assert made[start : start + 4] == b"xref"
    for number, row in enumerate(made[start:].split(b"\n")[3:9], start=1):
        assert made[int(row[:10]) :].startswith(f"{number} 0 obj".encode())


def of_code(code: str) -> list[dict[str, Any]]:
    rows = [r for r in everything() if isinstance(r.get("code"), dict)]
    return [r for r in rows if code in [c["code"] for c in r["code"].get("coding", [])]]


def test_cancer_is_mcode_shaped() -> None:
    """MC-02, MC-03, MC-04, MC-05, MC-07: the shapes that the cancer summary is read from are there."""
    primaries = [r for r in everything() if any("assertedDate" in e["url"] for e in r.get("extension", []))]
    assert len({r["subject"]["reference"] for r in primaries}) == len(PEOPLE)
    assert sum(r["subject"]["reference"] == "Patient/rv-p06" for r in primaries) == 2
    secondaries = [r for r in everything() if any("condition-related" in e["url"] for e in r.get("extension", []))]
    assert {r["subject"]["reference"] for r in secondaries} == {"Patient/rv-p03", "Patient/lk-p04"}
    assert [r["valueBoolean"] for r in of_code("1287652008")] == [False, False]
    for group in of_code("399537006") + of_code("399588009"):
        assert group["focus"]
        assert group["method"]
        assert 2 <= len(group["hasMember"]) <= 3
    assert {r["valueInteger"] for r in of_code("89247-1")} <= {0, 1, 2, 3, 4}
    assert len(of_code("97509-4")) > 20


def test_markers_and_labs_go_on_for_years() -> None:
    """MC-06: markers over years with reference ranges; monthly blood counts for years."""
    psa = [r for r in of_code("2857-1") if r["subject"]["reference"] == "Patient/rv-p02"]
    assert len({r["effectiveDateTime"][:4] for r in psa}) >= 9
    assert all(r["referenceRange"] for r in psa if "comparator" not in r["valueQuantity"])
    hemoglobin = [r for r in of_code("718-7") if r["subject"]["reference"] == "Patient/rv-p01"]
    assert len(hemoglobin) >= 60


def test_wrinkles_of_real_charts() -> None:
    """FHIR-12, FHIR-13, FHIR-18: what careless readers trip over is there."""
    rows = list(everything())
    assert any(r.get("status") == "entered-in-error" for r in rows)
    verification = [r["verificationStatus"]["coding"][0]["code"] for r in rows if "verificationStatus" in r]
    assert "refuted" in verification
    assert any("dataAbsentReason" in r for r in rows)
    assert any("_onsetDateTime" in r for r in rows)
    assert any(r.get("doNotPerform") for r in rows)
    assert any(r.get("status") == "not-done" for r in rows)
    assert any(r["resourceType"] == "MedicationRequest" and r.get("contained") for r in rows)
    assert any(r.get("statusReason") and r["resourceType"] == "MedicationRequest" for r in rows)
    assert {len(r["onsetDateTime"]) for r in rows if "onsetDateTime" in r} == {4, 7, 10}
    reported = {r["presentedForm"][0].get("url") for r in rows if r.get("presentedForm")}
    noted = {r["content"][0]["attachment"].get("url") for r in rows if r["resourceType"] == "DocumentReference"}
    assert len(reported & noted - {None}) >= 4


def test_sensitive_entries_with_and_without_labels() -> None:
    """CON-06: mental health, HIV and substance use are labelled for one person and unlabelled for another."""
    labels = {c["code"] for r in everything() for c in r["meta"].get("security", [])}
    assert labels == {"PSY", "HIV", "ETH"}
    alcohol = of_code("7200002")
    assert alcohol
    assert "security" not in alcohol[0]["meta"]


def test_profiles_only_at_riverside() -> None:
    """MC-01: riverside names profiles, lakeside does not, so that both ways of finding cancer are exercised."""
    named = {p.hospital: sum("profile" in r["meta"] for r in CHARTS[p.id]) for p in PEOPLE}
    assert named["riverside"] > 100
    assert named["lakeside"] == 0
