"""One entry: whose it is, what it may do to a browser, its files, and the form that was sent."""

from __future__ import annotations

import base64
import html
import re
from typing import Any
from uuid import uuid4

import orjson
from playwright.sync_api import Playwright

from sandbox.hospital.records import Chart
from tests.parts.patient_portal.test_record import lines_of, shown
from tests.support.browser_install import system_browser
from tests.support.portal import Client, Portal, signed_in_client

SCRIPT = "<script>document.title='ran'</script>"
NASTY = f"{SCRIPT}<img src=x onerror=\"document.title='ran'\"><svg onload=\"document.title='ran'\">'\"><b>bold</b>"


def add(chart: Chart, resource: dict[str, Any]) -> None:
    chart.by_type.setdefault(resource["resourceType"], []).append(resource)


def note(identity: str, *attachments: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "DocumentReference", "id": identity, "status": "current",
        "subject": {"reference": "Patient/rv-p06"}, "date": "2026-09-09T10:00:00Z",
        "content": [{"attachment": one} for one in attachments], **more,
    }  # fmt: skip


def data(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def entry_saying(client: Client, kind: str, identity: str) -> str:
    """The page of the entry that the hospital calls `identity`."""
    for line in lines_of(client, kind):
        if client.get(line + "/fhir?save=1").get_json(force=True)["id"] == identity:
            return line
    raise AssertionError(f"{identity} is not in the list")


def test_another_persons_entry_is_like_no_entry(portal: Portal) -> None:
    """SEC-08, threat 7: an entry of somebody else and one that never was are answered alike, on every route."""
    mine, other = signed_in_client(portal, "rv-p06"), signed_in_client(portal, "lk-p04")
    theirs = lines_of(other, "notes-and-reports")[0]
    assert other.get(theirs).status_code == 200
    mine.get("/record")  # shows the greeting, which is said once
    for ending in ("", "/fhir", "/fhir?save=1", "/file/0", "/file/0/read"):
        answers = [mine.get(path + ending) for path in (theirs, f"/record/entry/{uuid4()}")]
        bodies = {re.sub(r'name="csrf_token" value="[^"]+"', "", answer.text) for answer in answers}
        headers = {tuple(sorted(key for key, _ in answer.headers if key != "Set-Cookie")) for answer in answers}
        assert [answer.status_code for answer in answers] == [404, 404]
        assert len(bodies) == 1
        assert len(headers) == 1
    files = portal.rows("SELECT id FROM record_entry WHERE type = 'Binary' AND person_id = :me", me=mine.person)
    assert mine.get(f"/record/entry/{files[0].id}").status_code == 404
    mark = theirs.rpartition("/")[2]
    assert mine.get(f"/record/kind/notes-and-reports?older_than={mark}").status_code == 303


A_DOCUMENT = f"""<ClinicalDocument xmlns="urn:hl7-org:v3"><title>{html.escape(NASTY)}</title>
<component><structuredBody><component><section><title>What we found</title><text><table onclick="document.title='ran'">
<tr><td>words {html.escape(NASTY)}</td><td>{SCRIPT}<img src="x" onerror="document.title='ran'"/></td></tr>
</table></text></section></component></structuredBody></component></ClinicalDocument>"""


def test_nothing_in_a_record_runs(portal: Portal, playwright: Playwright) -> None:
    """FHIR-14, threats 21 and 22: scripts in titles, narrative, notes and files are words or gone."""
    chart = portal.chart("rv-p06")
    add(chart, note(
        "nasty", {"contentType": "text/html", "title": NASTY, "data": data(f"<h1>Seen</h1><p>kept words</p>{NASTY}")},
        {"contentType": "text/plain", "title": "plain", "data": data(f"plain words {NASTY}")},
        {"contentType": "text/xml", "title": "document", "data": data(A_DOCUMENT)},
        type={"text": NASTY}, description=NASTY, author=[{"display": NASTY}],
        text={"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">told {NASTY}</div>'},
    ))  # fmt: skip
    client = signed_in_client(portal, "rv-p06")
    entry = entry_saying(client, "notes-and-reports", "nasty")
    page = client.get(entry).text
    assert "kept words" in page
    assert "plain words &lt;script&gt;" in page
    for ran in ("<script>document", "<img src=x", "<svg onload"):
        assert ran not in page
    loud: list[str] = []
    browser = playwright.chromium.launch(
        executable_path=system_browser(), args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    )
    context = browser.new_context()
    cookie = client.browser.get_cookie("portal", domain="127.0.0.1")
    assert cookie
    context.add_cookies([{"name": "portal", "value": cookie.value, "url": portal.url}])
    tab = context.new_page()
    tab.on("dialog", lambda dialog: loud.append(dialog.message))
    tab.on("console", lambda message: loud.append(message.text))
    tab.on("request", lambda request: loud.append(request.url) if not request.url.startswith(portal.url) else None)
    for path in ("/record/kind/notes-and-reports", entry, entry + "/fhir", entry + "/file/2/read", "/record"):
        tab.goto(portal.url + path)
        if path.endswith("read"):
            frame = tab.frame_locator("iframe.document")
            assert frame.locator("h2").inner_text() == "What we found"
            assert frame.locator("td").first.inner_text() == f"words {NASTY}"
            assert frame.locator("td").first.evaluate("one => getComputedStyle(one).borderTopStyle") == "solid"
        tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert tab.title() != "ran"
        assert tab.url.endswith(path)
    browser.close()
    assert loud == []


C_CDA = """<?xml version="1.0"?><!DOCTYPE ClinicalDocument [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<ClinicalDocument xmlns="urn:hl7-org:v3"><title>Summary &x;</title></ClinicalDocument>\r\n"""


def test_files_are_saved_and_never_opened(portal: Portal) -> None:
    """FHIR-11, FHIR-14, DL-04: an attachment, a sandbox policy, a name that tells nothing, and the bytes that were
    sent, of a C-CDA too."""
    chart = portal.chart("rv-p06")
    add(chart, note(
        "files", {"contentType": "text/html", "title": "Smith, John: HIV.html", "data": data(f"<p>x</p>{SCRIPT}")},
        {"contentType": "application/pdf", "data": data("%PDF-1.4"), "size": 9000, "hash": data("wrong")},
        {"contentType": "image/svg+xml\r\nX-Evil: 1", "data": data("<svg onload=alert(1)>")},
        {"contentType": "application/pdf", "url": "http://elsewhere.example/steal"},
        {"contentType": "application/pdf", "data": "%%% not base64"},
        {"contentType": "application/hl7-cda+xml", "data": data(C_CDA)},
    ))  # fmt: skip
    client = signed_in_client(portal, "rv-p06")
    entry = entry_saying(client, "notes-and-reports", "files")
    expected = (
        ("text/html", "document-1.html", b"<p>x</p>" + SCRIPT.encode()),
        ("application/pdf", "document-2.pdf", b"%PDF-1.4"),
        ("application/octet-stream", "document-3.bin", b"<svg onload=alert(1)>"),
        ("application/hl7-cda+xml", "document-6.xml", C_CDA.encode()),
    )
    for kind, name, body in expected:
        index = int(name[9]) - 1
        response = client.get(f"{entry}/file/{index}")
        assert (response.status_code, response.data) == (200, body)
        assert response.mimetype == kind
        assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
        assert response.headers["Cache-Control"] == "no-store"
        assert "X-Evil" not in response.headers
    assert "just as your hospital sent it" in shown(client, f"{entry}/file/5/read")  # it is one, but damaged
    assert [client.get(f"{entry}/file/{index}/read").status_code for index in (0, 1, 3, 6)] == [404] * 4
    page = shown(client, entry)
    assert "Its size is not what your hospital said." in page
    assert "Its content is not what your hospital said." in page
    assert "We could not get this file." in page
    assert "This file cannot be read." in page
    assert "root:" not in page
    for index in (3, 4, 6, 99999999999999999999):
        assert client.get(f"{entry}/file/{index}").status_code == 404


def test_fetched_files_are_the_hospitals_bytes(portal: Portal) -> None:
    """FHIR-11, FHIR-12: a PDF that stands behind a Binary address is kept and handed out byte for byte; one that stands
    in a report too is shown once, with the document."""
    chart = portal.chart("rv-p01")
    twice = next(one for one in chart.of_type("DocumentReference") if "url" in one["content"][0]["attachment"])
    add(chart, {
        "resourceType": "DiagnosticReport", "id": "same-file", "status": "final", "code": {"text": "Pathology"},
        "subject": {"reference": "Patient/rv-p01"}, "presentedForm": [twice["content"][0]["attachment"]],
    })  # fmt: skip
    client = signed_in_client(portal, "rv-p01")
    report, document = (entry_saying(client, "notes-and-reports", one) for one in ("same-file", twice["id"]))
    with_document = f'<a href="{document}">This file is shown with another entry</a>'
    assert (with_document in client.get(report).text, f"{report}/file" in client.get(report).text) == (True, False)
    assert f"{document}/file/0" in client.get(document).text
    checked = 0
    for line in lines_of(client, "notes-and-reports"):
        resource = client.get(line + "/fhir?save=1").get_json(force=True)
        url = resource.get("content", [{}])[0].get("attachment", {}).get("url", "")
        kept = chart.read(url)
        if kept:
            assert client.get(line + "/file/0").data == base64.b64decode(kept["data"])
            checked += 1
    assert checked


NOT_KNOWN = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
CONDITIONS: tuple[tuple[dict[str, Any], str, bool], ...] = (
    ({"verificationStatus": {"coding": [{"code": "entered-in-error"}]}}, "marked this as a mistake", True),
    ({"verificationStatus": {"coding": [{"code": "refuted"}]}}, "looked into and ruled out", True),
    ({"modifierExtension": [{"url": "http://x/y", "valueBoolean": True}]}, "changes its meaning", False),
    ({"onsetDateTime": "2019"}, "2019", False),
    ({"onsetDateTime": "2018-05"}, "May 2018", False),
    ({"_onsetDateTime": {"extension": [NOT_KNOWN]}}, "not recorded", False),
)


def test_what_is_no_fact_is_not_shown_as_one(portal: Portal) -> None:
    """FHIR-13, FHIR-18: mistakes and what was ruled out are struck and named; dates are as exact as they were given."""
    chart = portal.chart("rv-p06")
    chart.by_type["Condition"] = []
    for number, (more, _words, _struck) in enumerate(CONDITIONS):
        add(chart, {"resourceType": "Condition", "id": f"one-{number}", "subject": {"reference": "Patient/rv-p06"},
                    "code": {"text": f"Asthma {number}"}, **more})  # fmt: skip
    client = signed_in_client(portal, "rv-p06")
    listed = client.get("/record/kind/problems").text
    assert "January" not in listed
    for number, (_more, words, struck) in enumerate(CONDITIONS):
        page = client.get(entry_saying(client, "problems", f"one-{number}")).text
        assert words in page
        assert "January" not in page
        assert (f"<s><bdi>Asthma {number}</bdi></s>" in listed) is struck
        assert (f"<s><bdi>Asthma {number}</bdi></s>" in page) is struck


def test_the_form_that_was_sent(portal: Portal) -> None:
    """LIB-01, DL-01: the saved form is byte for byte what the hospital served; the page prints it readably."""
    chart = portal.chart("rv-p06")
    client = signed_in_client(portal, "rv-p06")
    for kind in ("problems", "procedures", "insurance"):
        for line in lines_of(client, kind):
            saved = client.get(line + "/fhir?save=1")
            sent = chart.read("{resourceType}/{id}".format(**orjson.loads(saved.data)))
            assert saved.data == orjson.dumps(sent)
            assert saved.headers["Content-Disposition"] == 'attachment; filename="entry.json"'
            assert saved.content_type == "application/fhir+json"
            assert "&#34;resourceType&#34;" in client.get(line + "/fhir").text
