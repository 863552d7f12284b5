"""The hostile files of the shared test data, each as part of a person's record: from the hospital to every page.

Beside them the hospital sends the person's own shots, which must be there whatever else arrives.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from random import Random
from typing import Any

import orjson
import pytest
from werkzeug.test import TestResponse

from sandbox.hospital.records import Chart
from tests.mutations.pages import answers_of, look_everywhere, own_answers
from tests.parts.patient_portal.test_record import lines_of, shown
from tests.support.portal import Client, Portal, signed_in_client
from tests.support.testdata import testdata

PATIENT = "rv-p06"
BOM = b"\xef\xbb\xbf"
GOOD = {"Immunization": 2}
TILE = re.compile(r'<h3><a href="/record/kind/([a-z-]+)">[^<]*</a></h3>\s*<p>([\d,]*\d)')
FILE = re.compile(r'href="(/record/entry/[0-9a-f-]{36}/file/\d+)"')


class Page(HTMLParser):
    """What a browser would act on: scripts that are not ours, handlers, addresses that run, foreign pictures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.active: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in ("script", "img", "iframe", "object", "embed") and not values.get("src", "").startswith("/static/"):
            self.active.append(tag)
        self.active += [name for name in values if name.startswith("on")]
        self.active += [value for value in values.values() if value.strip().lower().startswith("javascript:")]


def hostile(name: str) -> bytes:
    """A file as it stands, about the person who signs in."""
    text = testdata(f"hostile-fhir/{name}").read_bytes()
    for named in (b"Patient/%b", b'"id": "%b"'):
        text = text.replace(named % b"p1", named % PATIENT.encode())
    return text


def resources_of(name: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in orjson.loads(hostile(name))["entry"]]


def arrive(portal: Portal, *sent: dict[str, Any]) -> None:
    """From now on the hospital holds only the good entries and `sent` for this person."""
    chart = portal.chart(PATIENT)
    good = [one for kind in GOOD for one in chart.by_type[kind]]
    if not any(one["resourceType"] == "Patient" for one in sent):
        good += chart.by_type["Patient"]
    dated = [{**one, "meta": {"lastUpdated": "2026-01-01T00:00:00Z"}} for one in sent]
    vars(chart).update(vars(Chart(PATIENT, [*good, *dated])))


@pytest.fixture
def answers(portal: Portal) -> Iterator[Callable[..., None]]:
    """Makes the hospital answer for a type with these very bytes."""
    with own_answers(portal) as answer_with:
        yield answer_with


def come_in(portal: Portal) -> tuple[Client, dict[str, int]]:
    """Sign in, bring the record in, open every page there is; returns how many entries of each kind are shown."""
    client = signed_in_client(portal, PATIENT)
    counts = {kind: int(count.replace(",", "")) for kind, count in TILE.findall(visited(client, "/record"))}
    for path in ("/record/progress", "/record/download", *(f"/record/kind/{kind}" for kind in counts)):
        visited(client, path)
    for line in [line for kind in counts for line in lines_of(client, kind)]:
        for path in FILE.findall(visited(client, line)):
            response = client.get(path)
            assert response.status_code == 200
            assert response.headers["Content-Disposition"].startswith("attachment")
        visited(client, line + "/fhir")
        assert client.get(line + "/fhir?save=1").status_code == 200
    assert counts["immunizations"] == GOOD["Immunization"]
    assert {"Patient", *GOOD} - {one["resourceType"] for one in downloaded(client)} <= {"Patient"}
    return client, counts


def visited(client: Client, path: str) -> str:
    """A page that is there and on which nothing runs."""
    response = client.get(path)
    assert response.status_code == 200, path
    return nothing_runs(path, response)


def nothing_runs(path: str, response: TestResponse) -> str:
    assert Page(response.text).active == [], path
    assert "'unsafe-inline'" not in response.headers["Content-Security-Policy"].partition("style-src")[0]
    return response.text


def downloaded(client: Client) -> list[dict[str, Any]]:
    response = client.post("/record/download")
    assert response.status_code == 200
    return [entry["resource"] for entry in orjson.loads(response.data)["entry"]]


def entries(client: Client, kind: str) -> str:
    """The words of the pages of every entry of a kind."""
    return " ".join(shown(client, line) for line in lines_of(client, kind))


def test_each_file_stands_here() -> None:
    """Stage A: a new hostile file needs a test here too."""
    manifest = orjson.loads(testdata("hostile-fhir/MANIFEST.json").read_bytes())
    assert [one["file"][:3] for one in manifest] == [f"s0{number}" for number in range(1, 10)]


def test_s01_partial_dates_and_a_masked_birth_date(portal: Portal) -> None:
    """FHIR-18: a birth date that was not stated is said to be so, a year stays a year, extensions are taken along."""
    arrive(portal, *resources_of("s01-primitive-extensions.json"))
    client, counts = come_in(portal)
    assert (counts["about-you"], counts["problems"]) == (1, 1)
    about = entries(client, "about-you")
    assert "Date of birth not recorded" in about
    assert "M O’Brien-Nuñez" in about
    overview = shown(client, "/record")
    assert "Found 2019 " in overview
    assert re.search(r"Stage .*IIA[^0-9]* May 2019", overview), overview
    for words in (overview, entries(client, "problems"), entries(client, "test-results")):
        assert not re.search(r"Jan\w* 2019|\w+ \d+, 2019", words), words
    patient = next(one for one in downloaded(client) if one["resourceType"] == "Patient")
    assert patient["_birthDate"] == resources_of("s01-primitive-extensions.json")[0]["_birthDate"]
    assert patient["name"][0]["_given"][1]["extension"]


def test_s02_text_where_there_is_no_code(portal: Portal) -> None:
    """FHIR-13, MC-01: each entry is in its list by the hospital's own words, known code or not; what those words only
    suspect, or tell of the past, is said on the overview to be that."""
    apart = {"suspected": "Suspected lung cancer", "past": "History of melanoma"}
    told = [condition(name, code={"text": words}) for name, words in apart.items()]
    arrive(portal, *resources_of("s02-text-only-and-oid-codings.json"), *told)
    client, counts = come_in(portal)
    assert counts["problems"] == 4
    problems = shown(client, "/record/kind/problems")
    assert "Breast CA, L" in problems
    assert "BREAST CANCER (HCC)" in problems
    overview = shown(client, "/record")
    assert "IIA" in overview
    (title,) = re.findall("<h1>([^<]+)", client.get("/record").text)
    assert "Breast cancer" in title
    written = overview.partition("Also written down")[2]
    assert "Suspected lung cancer not confirmed" in written
    assert "History of melanoma told as something of the past" in written


def test_s03_nothing_executes(portal: Portal) -> None:
    """FHIR-14: a narrative keeps its words and loses its scripts; a note stands on the page as it was written."""
    arrive(portal, *resources_of("s03-xss-narrative-basic.json"))
    client, _counts = come_in(portal)
    about = "".join(client.get(line).text for line in lines_of(client, "about-you"))
    assert "<p>hi</p>" in about
    assert "alert(" not in about
    (line,) = lines_of(client, "problems")
    assert '<b>bold?</b> & "quotes" <script>alert(2)</script>' in html.unescape(client.get(line).text)
    assert "<script>alert" not in client.get(line).text


def test_s04_the_name_of_a_contained_medicine(portal: Portal) -> None:
    """FHIR-13: the drug is named in the list, on its page and in the story."""
    arrive(portal, *resources_of("s04-contained-medication.json"))
    client, counts = come_in(portal)
    assert counts["medicines"] == 1
    for words in (shown(client, "/record/kind/medicines"), entries(client, "medicines")):
        assert "Paclitaxel" in words
        assert "paclitaxel 100 MG" in words


def test_s05_a_mistake_is_no_fact(portal: Portal) -> None:
    """FHIR-13: what the hospital withdrew makes no diagnosis and no stage, is not counted, is struck out, and is in
    the copy."""
    arrive(portal, *resources_of("s05-entered-in-error.json"))
    client, counts = come_in(portal)
    assert not counts.keys() & {"problems", "test-results"}
    overview = shown(client, "/record")
    assert overview.count("1 more was marked as a mistake by your hospital. It does not count.") == 2
    assert "We found no diagnosis of cancer" in overview
    assert "IIA" not in overview
    for kind in ("problems", "test-results"):
        (line,) = lines_of(client, kind)
        assert "marked this as a mistake" in shown(client, line)
        assert re.search(r"<a href=\"[^\"]+\"><s>", client.get(f"/record/kind/{kind}").text)
        assert "IIA" not in shown(client, f"/record/kind/{kind}")
    assert {"c1", "o1"} <= {one["id"] for one in downloaded(client)}


def test_s06_an_outcome_is_a_notice(portal: Portal, answers: Callable[..., None]) -> None:
    """FHIR-06, FHIR-07: the entry is kept, the outcome is said to mean that there may be more, and is no entry."""
    arrive(portal)
    answers(Condition=hostile("s06-searchset-with-outcome.json"))
    client, counts = come_in(portal)
    assert counts["problems"] == 1
    assert "1 part could not be fetched" in shown(client, "/record")
    assert "There may be more." in shown(client, "/record/kind/problems")
    progress = shown(client, "/record/progress")
    assert "We got only some of these. There may be more." in progress
    assert "It may not contain the entire record available in the system." in progress
    assert "OperationOutcome" not in {one["resourceType"] for one in downloaded(client)}


def test_s07_a_byte_order_mark(portal: Portal, answers: Callable[..., None]) -> None:
    """FHIR-06: a byte order mark before a Bundle and before a resource is passed over, and not taken along."""
    arrive(portal)
    text = hostile("s07-utf8-bom.json")
    assert text.startswith(BOM)
    patient = text[text.index(b'{"resourceType": "Patient"') : -len(b"}]}")]
    answers(Patient=BOM + patient, Coverage=text)
    client, counts = come_in(portal)
    assert counts["about-you"] == 1
    assert "Pat Example" in entries(client, "about-you")
    (line,) = lines_of(client, "about-you")
    assert client.get(line + "/fhir?save=1").data == patient
    assert "could not be fetched" not in shown(client, "/record")


def test_s08_a_file_that_is_not_what_was_promised(portal: Portal) -> None:
    """FHIR-11: a wrong size and a wrong hash are said; the file is saved under a name that leads nowhere."""
    arrive(portal, *resources_of("s08-attachment-size-hash-mismatch.json"))
    client, counts = come_in(portal)
    assert counts["notes-and-reports"] == 1
    (line,) = lines_of(client, "notes-and-reports")
    page = shown(client, line)
    assert "Its size is not what your hospital said. It may be damaged." in page
    assert "Its content is not what your hospital said." in page
    saved = client.get(f"{line}/file/0")
    assert saved.data == b"hello"
    assert saved.headers["Content-Disposition"] == 'attachment; filename="document-1.txt"'


@pytest.mark.parametrize("kind", ["Condition", "Patient"])
def test_s09_half_an_answer_is_no_answer(portal: Portal, answers: Callable[..., None], kind: str) -> None:
    """FHIR-10: nothing of a broken answer is kept, it is named with a way to try again, and signing in still works."""
    arrive(portal)
    answers(**{kind: hostile("s09-truncated.json")})
    client, counts = come_in(portal)
    assert counts.get({"Condition": "problems", "Patient": "about-you"}[kind]) is None
    assert "1 part could not be fetched" in shown(client, "/record")
    assert f"{kind} We could not get these. You can try again." in shown(client, "/record/progress")
    assert kind not in {one["resourceType"] for one in downloaded(client)}
    assert not portal.rows("SELECT 1 FROM record_entry WHERE type = :kind", kind=kind)


def test_spoiled_entries_break_no_page(portal: Portal, answers: Callable[..., None]) -> None:
    """FHIR-13, SEC-10, Issue 4 (bad input): entries changed at random, of every type that is shown in a way of its own,
    from the hospital's answer to every list, page and file; the person's own shots are there."""
    arrive(portal)
    answers(**answers_of(Random(23), 8, "Observation", "Condition", "MedicationRequest", "DiagnosticReport"))
    client = signed_in_client(portal, PATIENT)
    found = look_everywhere(client, nothing_runs)
    assert found.keys() == {"2xx"}, found
    assert found["2xx"] > 60
    assert len(lines_of(client, "immunizations")) == GOOD["Immunization"]


def condition(identity: str | None, **more: Any) -> dict[str, Any]:
    named = {} if identity is None else {"id": identity}
    return {"resourceType": "Condition", **named, "subject": {"reference": f"Patient/{PATIENT}"},
            "code": {"text": f"Asthma {identity}"}, **more}  # fmt: skip


LEFT_OUT: list[tuple[Any, str, str]] = [
    (condition("stranger", subject={"reference": "Patient/p1"}), "Condition/stranger",
     "It was about another person, so we did not keep it."),
    (condition(None), "Condition", "It came without a number of its own, so we could not keep it."),
    ({"id": "nameless"}, "Condition/nameless", "It did not say what it was."),
    ("words", "Condition", "We could not read it."),
    (None, "Condition", "We could not read it."),
]  # fmt: skip


def test_each_entry_left_out_is_named(portal: Portal, answers: Callable[..., None]) -> None:
    """FHIR-17, Bad input: between good entries each bad one is left out by name and with the reason; the good stay."""
    rows = [condition("first"), *(one for one, _name, _why in LEFT_OUT), condition("last")]
    sent = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in rows] + ["nothing"]}
    arrive(portal)
    answers(Condition=orjson.dumps(sent))
    client, counts = come_in(portal)
    assert counts["problems"] == 2
    assert {one["id"] for one in downloaded(client) if one["resourceType"] == "Condition"} == {"first", "last"}
    progress = shown(client, "/record/progress")
    for _one, name, why in LEFT_OUT:
        assert f"{name} : {why}" in progress, name
    assert "Asthma stranger" not in shown(client, "/record/kind/problems")
