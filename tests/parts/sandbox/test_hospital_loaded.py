"""Charts loaded from a folder: every one-patient Bundle is somebody, everything else is named and explained."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import requests

from sandbox.hospital.load_folder import load_folder
from tests.parts.sandbox.smart_client import Client, entries, hospital
from tests.support.testdata import testdata

PATIENT = {"resourceType": "Patient", "name": [{"family": "Doe", "given": ["Ann"]}], "birthDate": "1970-01-01"}
CONDITION = {"resourceType": "Condition", "subject": {"reference": "urn:uuid:aaaa"}, "code": {"text": "Lung cancer"}}


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    rows = [{"fullUrl": f"urn:uuid:{'abcd'[n] * 4}", "resource": r} for n, r in enumerate(resources)]
    return {"resourceType": "Bundle", "type": "transaction", "entry": rows}


def test_whole_tree_of_test_data() -> None:
    """Stage A: every file of the tree is either somebody's chart or explained; every cancer bundle is shown."""
    folder = testdata("fhir")
    report = load_folder(folder)
    shown = {name for person in report.people for name in person.loaded_from}
    explained = {name for name, _ in report.explained}
    files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert shown | explained == files
    assert not shown & explained
    assert all(reason for _, reason in report.explained)
    listed = {f"{row['collection']}/{row['file']}" for row in json.loads((folder / "CATALOG.json").read_text())}
    assert len(listed) == 74
    assert {name.removesuffix(".gz") for name in shown} >= {name.removesuffix(".gz") for name in listed}
    assert len(shown) == 86
    assert sum(bool(person.cancer) for person in report.people) >= 60


def test_ids_and_references_are_made_right(tmp_path: Path) -> None:
    """Resources without ids get ids, `urn:uuid:` references become Type/id, a missing subject stays missing."""
    loose = {"resourceType": "Observation", "status": "final", "code": {"text": "loose"}}
    (tmp_path / "one.json").write_text(json.dumps(bundle(PATIENT, CONDITION, loose)))
    (person,) = load_folder(tmp_path).people
    rows = {r["resourceType"]: r for r in person.open()}
    assert rows["Patient"]["id"] == "aaaa"
    assert rows["Condition"]["subject"]["reference"] == "Patient/aaaa"
    assert "subject" not in rows["Observation"]
    assert all(r["meta"]["versionId"] and r["meta"]["lastUpdated"] for r in rows.values())
    assert (person.name, person.cancer) == ("Ann Doe", "Lung cancer")


def test_kinds_of_files(tmp_path: Path) -> None:
    """gzip and ndjson are read; two files of one person join, the same id for another person does not mix charts."""
    ann = PATIENT | {"id": "p1"}
    (tmp_path / "a.json").write_text(json.dumps(bundle(ann)))
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(json.dumps(bundle(ann, CONDITION)).encode()))
    other = {"resourceType": "Patient", "id": "p1", "name": [{"text": "Bob Roe"}], "birthDate": "1980-02-02"}
    rows = [other, {"resourceType": "Condition", "subject": {"reference": "Patient/p1"}, "code": {"text": "Flu"}}]
    (tmp_path / "c.ndjson").write_text("\n".join(json.dumps(row) for row in rows))
    people = {p.patient_id: p for p in load_folder(tmp_path).people}
    assert people["p1"].loaded_from == ("a.json", "b.json.gz")
    assert people["p1-2"].name == "Bob Roe"
    renamed = {r["resourceType"]: r for r in people["p1-2"].open()}
    assert renamed["Condition"]["subject"]["reference"] == "Patient/p1-2"
    assert sorted(r["resourceType"] for r in people["p1"].open()) == ["Condition", "Patient"]


def test_what_is_nobodys_chart_is_explained(tmp_path: Path) -> None:
    """Lists, single resources, no or many patients, other files and broken ones: named with a reason, none fatal."""
    deep = "[" * 3000 + "]" * 3000
    cases = {
        "list.json": ("[]", "a list"), "one.json": (json.dumps(CONDITION), "single Condition"),
        "none.json": (json.dumps(bundle(CONDITION)), "no Patient"), "text.txt": ("hello", "not a FHIR JSON file"),
        "many.json": (json.dumps(bundle(PATIENT, PATIENT)), "2 Patients"), "broken.json": ("{", "cannot be read"),
        "number.json": ("7", "not a FHIR resource"), "fake.json.gz": ("not gzip", "cannot be read"),
        "deep.json": (deep, "cannot be read"),
        "odd.json": (json.dumps({"resourceType": "Bundle", "entry": "x"}), "no Patient"),
    }  # fmt: skip
    for name, (text, _) in cases.items():
        (tmp_path / name).write_text(text)
    report = load_folder(tmp_path)
    assert report.people == ()
    reasons = dict(report.explained)
    assert set(reasons) == set(cases)
    assert all(expected in reasons[name] for name, (_, expected) in cases.items()), reasons


def test_hostile_files_stop_nobody() -> None:
    """The hostile files are shown or explained; none stops the others."""
    folder = testdata("hostile-fhir")
    report = load_folder(folder)
    named = {n for p in report.people for n in p.loaded_from} | {name for name, _ in report.explained}
    assert named == {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    for person in report.people:
        assert person.open()


def test_loaded_people_can_sign_in(tmp_path: Path) -> None:
    """FHIR-03: a loaded person signs in and their record is served, found by the search on the sign-in page."""
    folder = tmp_path / "charts"
    folder.mkdir()
    source = testdata("fhir/synthea-smart")
    for name in sorted(p.name for p in source.iterdir())[:3]:
        shutil.copy(source / name, folder / name)
    (folder / "stray.txt").write_text("stray")
    with hospital(tmp_path / "state", patients=folder) as at:
        client = Client(at)
        person = at.hospital.load_report.people[0]
        page = requests.get(f"{at.url}/oauth/authorize", params=client.query() | {"find": person.name}, timeout=10)
        assert person.name in page.text
        assert at.hospital.load_report.people[1].name not in page.text
        token = client.connect(f"Patient/{person.patient_id}")
        assert token["patient"] == person.patient_id
        read = client.get(f"Claim?patient={person.patient_id}&_count=3", token["access_token"]).json()
        assert len(entries(read)) == 3
        report = requests.get(f"{at.url}/sandbox/patients", timeout=10).text
        assert "stray.txt" in report
        assert person.loaded_from[0] in report
