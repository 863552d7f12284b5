"""FHIR-12, FHIR-13, FHIR-14, FHIR-18, LIB-04: the hostile files, each against what its manifest expects."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import orjson
import pytest

from fhir_bridge.bundle import as_bundle
from fhir_bridge.reading.cancers import diagnosis_of
from fhir_bridge.reading.dates import FhirDate, Precision
from fhir_bridge.reading.entry import EntryView, read_entry
from fhir_bridge.reading.line import read_line
from fhir_bridge.reading.model_reading import ReadAs
from fhir_bridge.reading.narrative import safe_html
from fhir_bridge.reading.notes import attachments, safe_file_name
from fhir_bridge.reading.summary import summarise
from fhir_bridge.retrieve.json_body import Unreadable, parse
from tests.support.testdata import testdata


def resources(name: str) -> dict[str, dict[str, Any]]:
    bundle = orjson.loads(testdata(f"hostile-fhir/{name}").read_bytes())
    return {one["resource"].get("id", ""): one["resource"] for one in bundle["entry"]}


class Left(HTMLParser):
    """What a browser would see in sanitised HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _value in attrs}

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def entry(resource: dict[str, Any], **others: dict[str, Any]) -> EntryView:
    return read_entry(resource, lambda reference: others.get(reference))


def test_every_hostile_file_is_tested_somewhere() -> None:
    """FHIR-13: a new hostile file needs a test: s06, s07 and s09 are pages and stand with the reading of pages."""
    manifest = orjson.loads(testdata("hostile-fhir/MANIFEST.json").read_bytes())
    assert [one["file"][:3] for one in manifest] == [f"s0{number}" for number in range(1, 10)]


def test_s01_partial_dates_and_masked_birth_date() -> None:
    """FHIR-18: s01, a masked birth date is "not recorded"; 2019 stays a year, 2019-05 a month; a null name part."""
    found = resources("s01-primitive-extensions.json")
    facts = {str(one.label): one.value for one in entry(found["p1"]).facts}
    assert str(facts["Date of birth"]) == "not recorded"
    assert facts["Name"] == "M O’Brien-Nuñez"
    onset = {str(one.label): one.value for one in entry(found["c1"]).facts}["Began"]
    assert isinstance(onset, str) or onset.text == "2019"  # type: ignore[union-attr]  # None would fail here
    cancer = summarise(found.values()).cancers[0]
    assert cancer.found is not None
    assert (cancer.found.text, cancer.found.precision) == ("2019", Precision.YEAR)
    assert cancer.stages[0].date is not None
    assert (cancer.stages[0].date.text, cancer.stages[0].date.precision) == ("2019-05", Precision.MONTH)
    again = orjson.loads(b"".join(as_bundle(found.values())))
    assert again["entry"][0]["resource"]["_birthDate"] == found["p1"]["_birthDate"]


def test_s02_text_and_private_codes() -> None:
    """FHIR-13: s02, text stands where there is no code, a private OID code costs nothing, the stage is read."""
    found = resources("s02-text-only-and-oid-codings.json")
    lines = {name: read_line(one) for name, one in found.items()}
    assert str(lines["c1"].title) == "Breast cancer"
    assert lines["c1"].clinical == "Breast CA, L"
    assert str(lines["c2"].title) == "Breast cancer"
    assert lines["c2"].clinical == "BREAST CANCER (HCC)"
    unknown = {"resourceType": "Condition", "id": "u", "code": {"text": "Something local"}}
    assert read_line(unknown).title == "Something local"
    only_code = {"resourceType": "Condition", "id": "u", "code": {"coding": [{"system": "urn:oid:1.2", "code": "77"}]}}
    assert read_line(only_code).title == "77"
    summary = summarise(found.values())
    assert len(summary.cancers) == 1
    assert str(summary.cancers[0].side) == "left side"
    assert summary.cancers[0].stages[0].value == "IIA"
    assert summary.cancers[0].stages[0].parts == ("T2", "N0", "M0")


def test_s03_nothing_executes() -> None:
    """FHIR-14: s03, the narrative keeps its text and loses every script; a note is text and stays literal."""
    found = resources("s03-xss-narrative-basic.json")
    assert entry(found["p1"]).narrative == "<div><p>hi</p></div>"
    assert entry(found["c1"]).notes == ('<b>bold?</b> & "quotes" <script>alert(2)</script>',)


@pytest.mark.parametrize(
    "payload",
    [
        "<svg onload=alert(1)>", "<img src=x onerror=alert(1)>", "<a href='javascript:alert(1)'>x</a>",
        "<iframe src='https://evil.example'></iframe>", "<p style='background:url(//evil.example)'>x</p>",
        "<style>@import '//evil.example'</style>", "<form action='//evil.example'><input></form>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>", "<base href='//evil.example'>",
        "<meta http-equiv=refresh content='0;//evil.example'>", "<object data='//evil.example'></object>",
        "<p id=x name=y class=z onclick=alert(1)>x</p>", "<!--><img src=x onerror=alert(1)>-->",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>", "<video src=//evil.example>",
        "<link rel=stylesheet href=//evil.example>", "<details open ontoggle=alert(1)>",
        "<div><![CDATA[<script>alert(1)</script>]]></div>", "<p>\x00<scr\x00ipt>alert(1)</script>",
    ],
)  # fmt: skip
def test_narratives_are_safe(payload: str) -> None:
    """FHIR-14: no payload leaves an address, a handler, a style or an active element."""
    left = Left()
    left.feed(safe_html(f"<div>{payload}</div>"))
    assert left.tags <= {"div", "p", "table"}
    assert left.attributes == set()


def test_s04_contained_medicine_has_its_name() -> None:
    """FHIR-13: s04, the medicine's name is found in the contained resource."""
    view = entry(resources("s04-contained-medication.json")["m1"])
    assert (view.title, view.clinical) == ("Paclitaxel", "paclitaxel 100 MG")
    assert read_line(resources("s04-contained-medication.json")["m1"]).title == "Paclitaxel"


def test_s05_mistakes_are_no_facts() -> None:
    """FHIR-13: s05, what was entered in error is said to be so, counted nowhere and kept in the download."""
    found = resources("s05-entered-in-error.json")
    for name in ("c1", "o1"):
        view = entry(found[name])
        assert view.mistake
        assert "mistake" in str(view.warnings[0])
        assert read_line(found[name]).mistake
    summary = summarise(found.values())
    assert (summary.cancers, summary.stages, summary.told_apart) == ((), (), ())
    assert len(orjson.loads(b"".join(as_bundle(found.values())))["entry"]) == 3


def test_s08_file_name_and_promises() -> None:
    """FHIR-11: s08, the name for saving has no folders, and wrong size and hash are noted."""
    document = resources("s08-attachment-size-hash-mismatch.json")["d1"]
    (attachment,) = entry(document).attachments
    assert attachment.file_name == "passwd.txt"
    assert attachment.problems == ("size-differs", "hash-differs")


@pytest.mark.parametrize(
    ("title", "content_type", "expected"),
    [
        ("../../etc/passwd", "text/plain", "passwd.txt"),
        ("C:\\temp\\evil.exe", "application/pdf", "evil.pdf"),
        ("report.pdf.exe", "application/pdf", "reportpdf.pdf"),
        ("..", "application/pdf", "document-1.pdf"),
        ("a\r\nSet-Cookie: x=1", "application/pdf", "aSet-Cookie x1.pdf"),
        ("<script>", "text/html", "script.html"),
        ("", "application/x-unknown", "document-1.bin"),
        ("Informe genético", "application/pdf", "Informe genético.pdf"),
    ],
)
def test_file_names(title: str, content_type: str, expected: str) -> None:
    """FHIR-11: the ending comes from the content type and the name holds nothing that a system obeys."""
    assert safe_file_name(title, content_type, "document-1") == expected


def test_s09_truncated_is_a_clear_error() -> None:
    """FHIR-06: s09, half a file is named as such."""
    assert parse(testdata("hostile-fhir/s09-truncated.json").read_bytes()) == Unreadable("truncated")


def test_a_file_named_twice_in_an_entry_is_one() -> None:
    """FHIR-12: the same address twice is one file."""
    content = [{"attachment": {"url": "Binary/1"}}, {"attachment": {"url": "Binary/1"}}]
    assert [one.where for one in attachments({"resourceType": "DocumentReference", "content": content})] == ["Binary/1"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"verificationStatus": {"coding": [{"code": "refuted"}]}}, "ruled out"),
        ({"verificationStatus": {"coding": [{"code": "provisional"}]}}, "not certain"),
        ({"verificationStatus": {"coding": [{"code": "differential"}]}}, "not certain"),
        ({"verificationStatus": {"coding": [{"code": "unconfirmed"}]}}, "not certain"),
        ({"modifierExtension": [{"url": "urn:x", "valueBoolean": True}]}, "cannot read it"),
    ],
)
def test_what_is_not_so_is_said(more: dict[str, Any], said: str) -> None:
    """FHIR-13: refuted, uncertain and changed in a way we cannot read is said, and makes no diagnosis."""
    condition = {
        "resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "254837009"}]}, **more,
    }  # fmt: skip
    assert any(said in str(one) for one in entry(condition).warnings)
    assert summarise([condition]).cancers == ()


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        ({"resourceType": "Procedure", "id": "x", "status": "not-done", "code": {"text": "Mastectomy"}}, "not done"),
        ({"resourceType": "MedicationRequest", "id": "x", "status": "active", "doNotPerform": True,
          "medicationCodeableConcept": {"text": "cisplatin"}}, "should not have this"),
    ],
)  # fmt: skip
def test_not_done_is_said(resource: dict[str, Any], said: str) -> None:
    """FHIR-13: what was not done, or must not be done, is said and is no treatment."""
    assert said in str(entry(resource).warnings[0])
    assert said in str(read_line(resource).warning)
    assert summarise([resource]).treatments == ()


BAD_ENTRIES: list[tuple[dict[str, Any], ReadAs]] = [
    ({"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p1"}}, ReadAs.STRICT),
    ({"resourceType": "Condition", "id": "c", "code": {"text": "x"}}, ReadAs.LENIENT),
    ({"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p1"}, "new": 1}, ReadAs.LENIENT),
    ({"resourceType": "Condition", "id": "c", "subject": {}, "onsetDateTime": "soon"}, ReadAs.LENIENT),
    ({"resourceType": "Condition", "id": 5, "subject": "Patient/p1"}, ReadAs.LENIENT),
    ({"resourceType": "Observation", "id": "o", "valueInteger64": "5", "status": "final"}, ReadAs.LENIENT),
    ({"resourceType": "Transport", "id": "t"}, ReadAs.RAW),
    ({"resourceType": "os.path", "id": "t"}, ReadAs.RAW),
    ({}, ReadAs.RAW),
]


@pytest.mark.parametrize(("resource", "expected"), BAD_ENTRIES)
def test_strict_then_lenient_then_raw(resource: dict[str, Any], expected: ReadAs) -> None:
    """LIB-04: an entry is read strictly, else leniently with its faults beside it, else as raw JSON; always shown."""
    view = entry(resource)
    assert view.read_as is expected
    assert bool(view.problems) is (expected is not ReadAs.STRICT)
    assert str(view.title)


def test_problems_carry_no_values(caplog: pytest.LogCaptureFixture) -> None:
    """LIB-04: faults name elements, not what stood in them, and nothing is logged."""
    caplog.set_level("DEBUG")
    secret = "Rosa-Has-Cancer"
    view = entry({"resourceType": "Condition", "id": "c", "onsetDateTime": secret, "subject": secret, "code": [secret]})
    assert view.problems
    assert not any(secret in one for one in view.problems)
    assert caplog.text == ""


def test_dates_are_not_padded_by_the_model() -> None:
    """FHIR-18: fhirclient would make 2025-11 the first of November; what is shown stays 2025-11."""
    view = entry({"resourceType": "Goal", "id": "g", "startDate": "2025-11", "lifecycleStatus": "active"})
    assert isinstance(view.date, FhirDate)
    assert (view.date.text, view.date.precision) == ("2025-11", Precision.MONTH)


def test_suspected_by_name_is_no_diagnosis() -> None:
    """MC-01: "suspected lung cancer" is no lung cancer."""
    assert diagnosis_of({"text": "Suspected lung cancer (situation)"}) is None


@pytest.mark.parametrize("field", ["subject", "item", "code", "component", "note", "extension", "unknownElement"])
@pytest.mark.parametrize("opened", ["[", '{"item":[', '{"code":', '{"extension":['])
def test_deep_entries_are_shown(field: str, opened: str) -> None:
    """LIB-04: an entry nested as deep as JSON is read here still has a line, a page and no effect on the summary."""
    closed = {"[": "]", "{": "}"}
    depth = 250 // len([one for one in opened if one in "[{"])
    ending = "".join(closed[one] for one in reversed(opened) if one in closed) * depth
    resource = orjson.loads(
        '{"resourceType":"Observation","id":"o","' + field + '":' + opened * depth + "1" + ending + "}"
    )
    assert str(read_line(resource).title)
    assert str(entry(resource).title)
    summarise([resource])


def test_long_notes_are_whole_on_the_page_and_short_in_a_list() -> None:
    """FHIR-13: nothing of a long note is lost on its page; a list shows its beginning."""
    long = "word " * 2000
    resource = {"resourceType": "Observation", "id": "o", "valueString": long, "note": [{"text": long}]}
    view = entry(resource)
    assert view.notes == (long.strip(),)
    assert view.facts[0].value == long.strip()
    assert len(str(read_line(resource).value_text)) <= 240


def test_source_is_named() -> None:
    """FHIR-13: who said it, by display or by the resource referred to."""
    clinic = {"resourceType": "Organization", "id": "o1", "name": "Riverside"}
    document = {"resourceType": "DocumentReference", "id": "d", "custodian": {"reference": "Organization/o1"}}
    assert entry(document, **{"Organization/o1": clinic}).source == "Riverside"
    assert entry(document).source == ""
    assert read_line({"resourceType": "Procedure", "performer": [{"actor": {"display": "Dr. A"}}]}).source == "Dr. A"
