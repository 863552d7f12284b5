"""The forms in which a record is taken along, from entries to bytes and back."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import orjson
from hypothesis import given
from hypothesis import strategies as st

from fhir_bridge.export.archive import zipped
from fhir_bridge.export.copy_facts import CopyFacts
from fhir_bridge.export.ips import NEWEST, SECTIONS, ips_document
from fhir_bridge.export.mcode import mcode_bundle
from fhir_bridge.export.ndjson import ndjson_files, one_line
from fhir_bridge.export.plain_text import WIDE, text_pieces
from fhir_bridge.export.spreadsheet import csv_files, harmless
from fhir_bridge.reading.kinds import kind_of
from fhir_bridge.reading.line import read_line
from fhir_bridge.reading.summary import summarise
from fhir_bridge.record_copy import Copied, Wanted
from patient_portal.papers.record_paper import record_paper

MADE = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
BASE = "https://hospital.example/fhir"
LACKS = "Riverside: Test results and measurements: not all"


def entry(resource: dict[str, Any], provider: str = "riverside", base: str | None = BASE) -> Copied:
    return Copied(provider, base, resource["resourceType"], kind_of(resource).value, orjson.dumps(resource))


def facts(wanted: Wanted | None = None) -> CopyFacts:
    return CopyFacts(
        MADE, "en", {"riverside": "Riverside"}, (("riverside", MADE),), (("riverside", "Observation", "not all"),),
        False, wanted or Wanted(),
    )  # fmt: skip


PATIENT = {"resourceType": "Patient", "id": "p1", "name": [{"family": "Example"}], "gender": "female"}
CANCER = {
    "resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"},
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "254837009"}], "text": "Breast cancer"},
    "clinicalStatus": {"coding": [{"code": "active"}]}, "onsetDateTime": "2020-02-03",
}  # fmt: skip
COLD = {
    "resourceType": "Condition", "id": "c2", "subject": {"reference": "Patient/p1"},
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "82272006"}], "text": "Common cold"},
}  # fmt: skip


def weight(number: int) -> dict[str, Any]:
    return {
        "resourceType": "Observation", "id": f"o{number}", "status": "final", "effectiveDateTime": "2024-01-02",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]}, "subject": {"reference": "Patient/p1"},
        "valueQuantity": {"value": 70.5, "unit": "kg"},
    }  # fmt: skip


def unzipped(pieces: Any) -> dict[str, bytes]:
    archive = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
    assert archive.testzip() is None
    return {name: archive.read(name) for name in archive.namelist()}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_one_line_changes_nothing_but_the_space_between(value: Any) -> None:
    """DL-01: a line of NDJSON is the JSON that came, without line breaks."""
    pretty = orjson.dumps(value, option=orjson.OPT_INDENT_2) if not _too_large(value) else b"null"
    line = one_line(pretty)
    assert b"\n" not in line
    assert orjson.loads(line) == orjson.loads(pretty)


def _too_large(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return True
    return False


def test_numbers_stay_as_they_were_written() -> None:
    """DL-01: a value keeps its written precision, which FHIR says is meant (datatypes.html#decimal)."""
    assert one_line(b'{ "value" : 1.10,\n "big": 12345678901234567890.10, "t": "a \\" b\\n c" }') == (
        b'{"value":1.10,"big":12345678901234567890.10,"t":"a \\" b\\n c"}'
    )


def test_an_archive_of_lines_counts_what_it_holds_and_says_what_it_lacks() -> None:
    """DL-01: one file a type, one resource a line, no blank lines, counts in the manifest."""
    held = [entry(CANCER), entry(COLD), entry(PATIENT)]
    files = unzipped(zipped(ndjson_files(held, facts(), str), MADE))
    assert [orjson.loads(line) for line in files["Condition.ndjson"].splitlines()] == [CANCER, COLD]
    manifest = orjson.loads(files["manifest.json"])
    assert {one["type"]: one["count"] for one in manifest["output"]} == {"Condition": 2, "Patient": 1}
    assert LACKS in manifest["extension"]["incomplete"]
    assert LACKS in files["README.txt"].decode()


def test_a_table_holds_one_row_for_each_entry() -> None:
    """DL-01: a spreadsheet reads every entry of a kind, with code, number and unit."""
    files = unzipped(zipped(csv_files([entry(weight(1)), entry(weight(2))], {}, facts(), str), MADE))
    rows = list(csv.DictReader(io.StringIO(files["vital-signs.csv"].decode("utf-8-sig"))))
    assert [(row["Date"], row["Code"], row["Number"], row["Unit"]) for row in rows] == [
        ("2024-01-02", "29463-7", "70.5", "kg")
    ] * 2
    assert LACKS in files["README.txt"].decode()


def test_no_cell_is_a_formula() -> None:
    """SEC-10: what a hospital wrote cannot act in a spreadsheet; numbers stay numbers."""
    assert [harmless(one) for one in ("=1+1", "@x", "+cmd", "-2.5", "+3", "fine")] == [
        "'=1+1", "'@x", "'+cmd", "-2.5", "+3", "fine",
    ]  # fmt: skip


@given(st.text(max_size=300))
def test_no_line_of_text_is_wider_than_eighty(words: str) -> None:
    """DL-02: sections of 80 columns, whatever the words."""
    odd = CANCER | {"code": {"text": words}}
    patient = entry(PATIENT | {"birthDate": "1961-03-04"})
    told = b"".join(text_pieces([patient, entry(odd), entry(weight(1))], {}, facts(), str)).decode()
    assert "Born 1961-03-04" in told
    assert max(len(line) for line in told.split("\r\n")) <= WIDE
    assert "Riverside" in told
    assert "What is not complete:" in told


def test_a_summary_has_its_sections_and_says_why_one_is_empty() -> None:
    """DL-03: document, Composition first with LOINC 60591-5, required sections, narratives, emptyReason."""
    held = [entry(CANCER), *(entry(weight(n)) for n in range(NEWEST + 5)), entry(PATIENT)]
    bundle = ips_document(held, facts(), str)
    assert (bundle["type"], bundle["entry"][0]["resource"]["resourceType"]) == ("document", "Composition")
    assert bundle["identifier"]["value"]
    assert bundle["timestamp"] == "2026-11-22T10:00:00+00:00"
    composition = bundle["entry"][0]["resource"]
    assert composition["type"]["coding"][0]["code"] == "60591-5"
    sections = {one["code"]["coding"][0]["code"]: one for one in composition["section"]}
    assert {"11450-4", "48765-2", "10160-0"} <= sections.keys()
    assert all(one["text"]["div"].startswith("<div xmlns=") for one in sections.values())
    assert sections["48765-2"]["emptyReason"]["coding"][0]["code"] == "unavailable"
    assert "entry" not in sections["48765-2"]
    urls = {one["fullUrl"] for one in bundle["entry"]}
    assert len(urls) == len(bundle["entry"])
    named = {one["reference"] for section in composition["section"] for one in section.get("entry", [])}
    assert named <= urls
    assert composition["subject"]["reference"] in urls
    assert f"The newest {NEWEST} of {NEWEST + 5}." in sections["8716-3"]["text"]["div"]
    assert len(SECTIONS) == 7


def test_a_cancer_bundle_has_one_patient_and_only_the_cancer_part() -> None:
    """MC-12: collection, exactly one CancerPatient, though two hospitals each sent a Patient; a cold is no part."""
    other = entry(PATIENT | {"id": "p9"}, "lakeside", "https://lakeside.example/fhir")
    theirs = entry(CANCER | {"subject": {"reference": "Patient/p9"}}, "lakeside", "https://lakeside.example/fhir")
    bundle = mcode_bundle([entry(CANCER), entry(COLD), theirs, other, entry(PATIENT)], facts(), str)
    assert bundle["type"] == "collection"
    resources = [one["resource"] for one in bundle["entry"]]
    assert [one["resourceType"] for one in resources] == ["Patient", "Condition", "Condition"]
    assert resources[0]["meta"]["profile"] == ["http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-cancer-patient"]
    assert resources[0]["identifier"]
    # Within a hospital a reference stays as it came: it is read against where the entry stands (FHIR R4 bundle.html).
    told = {urljoin(one["fullUrl"], f"../{one['resource']['subject']['reference']}") for one in bundle["entry"][2:]}
    assert told == {bundle["entry"][0]["fullUrl"]}
    assert resources[1]["subject"]["reference"] == bundle["entry"][0]["fullUrl"]
    assert LACKS in bundle["meta"]["tag"][0]["display"]


def test_what_two_hospitals_tell_alike_is_told_once() -> None:
    """DL-02, DL-03, MC-02: one line with both named where people read; in a table a row each, naming the other; for
    programs both entries as they came; the same cancer once in the paper's story."""
    there = "https://lakeside.example/fhir"
    theirs = CANCER | {"id": "x9", "subject": {"reference": "Patient/p9"}}
    both = CopyFacts(MADE, "en", {"riverside": "Riverside", "lakeside": "Lakeside"},
                     (("riverside", MADE), ("lakeside", MADE)), (), False)  # fmt: skip
    held = [entry(CANCER), entry(theirs, "lakeside", there), entry(COLD), entry(PATIENT)]
    words = b"".join(text_pieces(held, {}, both, str)).decode()
    title = str(read_line(CANCER).title)
    assert words.count(title) == words.count("Riverside · Lakeside") == 1
    rows = list(csv.DictReader(io.StringIO(
        unzipped(zipped(csv_files(held, {}, both, str), MADE))["problems.csv"].decode("utf-8-sig"))))  # fmt: skip
    assert [(row["Entry"], row["Hospital or clinic"], row["Also told by"]) for row in rows] == [
        ("Condition/c1", "Riverside", "Lakeside"), ("Condition/x9", "Lakeside", "Riverside"),
        ("Condition/c2", "Riverside", ""),
    ]  # fmt: skip
    problems = ips_document(held, both, str)["entry"][0]["resource"]["section"][0]
    assert len(problems["entry"]) == 3
    assert problems["text"]["div"].count("<tr>") == 2
    stories = [summarise([CANCER]), summarise([theirs])]
    paper = record_paper(held, {}, both, stories, str)
    assert [part["text"] for part in paper.parts if part["kind"] == "lead"] == [title]
    lines = [row for part in paper.parts if part["kind"] == "table" for row in part["rows"]]
    assert [row[3] for row in lines if row[1].startswith(title)] == ["Riverside · Lakeside"]


def test_a_part_says_that_it_is_a_part() -> None:
    """DL-02, DL-05: a copy of some kinds or years names them."""
    said = facts(Wanted(frozenset({"medicines"}), "2020-01-01", "")).incomplete(str)
    assert any("Medicines" in one and "2020-01-01" in one for one in said)


def test_what_was_ruled_out_is_told_so_in_every_form() -> None:
    """FHIR-13: a spread that was ruled out, and a medicine not to be given, are no facts to a new doctor."""
    refuted = CANCER | {
        "id": "c3", "code": {"text": "Spread to the bones"}, "verificationStatus": {"coding": [{"code": "refuted"}]},
    }  # fmt: skip
    never = {
        "resourceType": "MedicationRequest", "id": "m1", "status": "active", "intent": "order", "doNotPerform": True,
        "medicationCodeableConcept": {"text": "Estradiol"}, "subject": {"reference": "Patient/p1"},
    }  # fmt: skip
    held = [entry(PATIENT), entry(refuted), entry(never)]
    said = [str(read_line(each).warning) for each in (refuted, never)]
    bundle = ips_document(held, facts(), str)
    told = "".join(one["text"]["div"] for one in bundle["entry"][0]["resource"]["section"])
    tables = b"".join(unzipped(zipped(csv_files(held, {}, facts(), str), MADE)).values()).decode()
    words = " ".join(b"".join(text_pieces(held, {}, facts(), str)).decode().split())
    for warning in said:
        assert warning != "None"
        assert warning in told
        assert warning in tables
        assert warning in words
