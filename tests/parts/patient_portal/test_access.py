"""The right of access on the real pages: a letter with and without an account, the clock, reminders, what came."""

from __future__ import annotations

import importlib
import re
import secrets
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text
from werkzeug.test import TestResponse

from database.context import as_propagation
from database.unit_of_work import sqlalchemy_url
from fhir_bridge.access.file_kinds import MOST_BYTES
from fhir_bridge.access.malware import Scanner
from patient_portal.in_touch import access_reminders
from patient_portal.in_touch.texting import texting_of
from patient_portal.operating.operator_reading import count_for_the_operator
from patient_portal.operating.reached import EVERY, count_reached
from patient_portal.pages.added import MOST_BODY
from patient_portal.wiring import now
from tests.support.pdf import Pdf
from tests.support.portal import Client, Portal, signed_in_client, token_in
from vocabulary.calendar_day import day_at

LETTER = {
    "name": "Denise Johnson", "born": "March 4, 1961", "clinic": "Canary Hill Clinic", "scope": "all", "form": "pdf",
    "who": "me", "send_to": "denise@example.org",
}  # fmt: skip
SCAN = b"%PDF-1.7\ncanary of a scan\n%%EOF"
PAGES = importlib.import_module("patient_portal.pages.access")
TODAY = day_at(datetime.now(UTC), "America/New_York")


@pytest.fixture
def denise(portal: Portal) -> Client:
    return signed_in_client(portal, "rv-p07", record=False)


def written(client: Client, **more: str) -> str:
    answer = client.post("/access/new", LETTER | {"key": secrets.token_urlsafe(12)} | more)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["Location"])


def noted(client: Client, page: str, kind: str, on: date | None = None, **more: str) -> TestResponse:
    form = {"key": secrets.token_urlsafe(12), "kind": kind} | ({f"{kind}-on": on.isoformat()} if on else {})
    return client.post(page, form | {f"{kind}-{name}": value for name, value in more.items()})


def words(page: TestResponse) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.text.partition("<main")[2].partition("</main>")[0]).split())


def flat(words_of: str) -> str:
    return re.sub(r"\s+", "", words_of)


def test_a_letter_in_two_languages(portal: Portal, denise: Client) -> None:
    """HIP-02, HIP-03, A11Y-04, LANG-03: a tagged PDF and text, in English for the clinic and in the person's own
    language; sealed where it is kept; the same form twice is one letter."""
    form = LETTER | {"key": "twice-the-same", "who": "other", "other_name": "Dr. Kim", "other_where": "kim@example.org"}
    pages = {denise.post("/access/new?lang=es", form).headers["Location"] for _ in range(2)}
    (page,) = pages
    for language, said in (("en", "I ask you for a copy"), ("es", "Le pido una copia")):
        answer = denise.get(f"{page}/letter.{language}.pdf")
        assert answer.headers["Content-Disposition"].startswith("attachment")
        pdf = Pdf(answer.data)
        assert (pdf.is_tagged, pdf.says_ua_1, pdf.language) == (True, True, language)
        assert denise.get(f"{page}/letter.{language}.pdf").data == answer.data
        plain = denise.get(f"{page}/letter.{language}.txt").text
        for each in (said, "Canary Hill Clinic", "Dr. Kim", "(c)(3)(ii)"):
            assert flat(each) in flat(pdf.text), each
            assert flat(each) in flat(plain), each
    assert denise.get(f"{page}/letter.fr.pdf").status_code == 404
    assert denise.get(f"{page}/letter.en.exe").status_code == 404
    (row,) = portal.rows("SELECT * FROM access_request")
    assert b"Canary" not in b"".join(bytes(each) for each in row if isinstance(each, bytes | memoryview))


def test_a_letter_without_an_account_leaves_nothing(portal: Portal) -> None:
    """HIP-02: whoever has no account gets the same letter, and no table keeps a word of it."""
    browser = portal.app.test_client()
    form = LETTER | {"csrf_token": token_in(browser.get("/get-your-record/letter", base_url=portal.url).text)}

    def post(**more: str) -> TestResponse:
        answer = browser.post("/get-your-record/letter", data=form | more, base_url=portal.url)
        assert isinstance(answer, TestResponse)
        return answer

    wrong = post(clinic="", who="other", form="paper")
    assert wrong.status_code == 422
    assert 'value="Denise Johnson"' in wrong.text
    for said in ("Write the name of the clinic", "electronic copies only", "The law asks for both"):
        assert said in wrong.text
    assert "For the clinic, in English" in post().text
    assert Pdf(post(take="en.pdf").data).is_tagged
    assert "Canary Hill Clinic" in post(take="en.txt").text
    assert post(take="fr.pdf").status_code == 422
    assert portal.rows("SELECT 1 FROM access_request") == []
    kept = portal.rows("SELECT string_agg(t::text, '') AS all FROM web_session t")
    assert "Canary" not in str(kept)


def test_the_clock_as_a_person_sees_it(portal: Portal, denise: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """HIP-01, HIP-04: each stage in plain words with what can be done next, from the letter to the complaint."""
    page, day_0 = written(denise), TODAY - timedelta(days=5)
    assert "Your letter is ready" in words(denise.get(page))
    assert noted(denise, page, "came", TODAY).status_code == 409, "nothing comes before it was asked for"
    assert noted(denise, page, "asked").status_code == 422
    assert noted(denise, page, "asked", TODAY + timedelta(days=2)).status_code == 422
    assert noted(denise, page, "asked", day_0).status_code == 303
    assert "Days left: 25." in words(denise.get(page))
    late_reply = noted(denise, page, "extended", TODAY, until=(day_0 + timedelta(days=70)).isoformat())
    assert late_reply.status_code == 303
    assert "gave no reason" in words(denise.get(page))
    again = {"until": (day_0 + timedelta(days=70)).isoformat(), "reason": "canary archive"}
    assert noted(denise, page, "extended", TODAY, **again).status_code == 303
    said = words(denise.get(page))
    assert "Days left: 55." in said
    assert "60 days and no more" in said

    monkeypatch.setattr(PAGES, "today_here", lambda: day_0 + timedelta(days=61))
    said = words(denise.get(page))
    for each in ("Days late: 1.", "200 Independence Avenue", "within 180 days", "45 CFR 160.306"):
        assert each in said, each
    assert "late" in words(denise.get("/access"))
    assert noted(denise, page, "refused", day_0 + timedelta(days=61), reason="court").status_code == 303
    said = words(denise.get(page))
    assert "The clinic said no on" in said
    assert "therapist’s own notes" in said
    assert noted(denise, page, "reopened").status_code == 303
    assert "Days late: 1." in words(denise.get(page))
    assert [row.kind for row in portal.rows("SELECT kind FROM access_event ORDER BY id")] == [
        "asked", "extended", "extended", "refused", "reopened",
    ]  # fmt: skip
    assert b"canary" not in b"".join(bytes(r[0]) for r in portal.rows(
        "SELECT reason_sealed FROM access_event WHERE reason_sealed IS NOT NULL"))  # fmt: skip
    assert "noted what became" in words(denise.get("/activity"))


def test_reminders_only_for_those_who_want_them(
    portal: Portal, denise: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SMS-06, HIP-01: days 20, 30 and 60 in the morning, when ticked and some way is open; none once it is over."""
    monkeypatch.setattr(PAGES, "can_remind", lambda _texting, _person, _topic: True)
    page, set_now = written(denise), "SELECT about, due_at FROM reminder WHERE state = 'set' ORDER BY due_at"
    assert noted(denise, page, "asked", TODAY - timedelta(days=25)).status_code == 303
    assert portal.rows(set_now) == []
    assert noted(denise, page, "asked", TODAY - timedelta(days=25), remind="yes").status_code == 303
    rows = portal.rows(set_now)
    assert [row.about.split("/")[1] for row in rows] == ["30", "60"], "day 20 is over"
    assert "Canary" not in str(rows)
    assert rows[0].due_at.date() == TODAY + timedelta(days=5)
    request = UUID(page.rsplit("/", 1)[1])
    texting = texting_of(portal.wiring)
    assert access_reminders.next_reminder(texting, denise.person, request) == rows[0].due_at
    assert noted(denise, page, "came", TODAY).status_code == 303
    assert portal.rows(set_now) == []


def upload(client: Client, content: bytes, name: str, **more: str) -> TestResponse:
    """A form with a file, written out by hand: the test client would lay a large one down on the disk."""
    fields = more | {"csrf_token": client.token("/record/added")}
    parts = [
        f'--cut\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()
    ]
    head = f'--cut\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = "".join([*parts, head]).encode() + content + b"\r\n--cut--\r\n"
    kind = "multipart/form-data; boundary=cut"
    answer = client.browser.post("/record/added", data=body, content_type=kind, base_url=client.portal.url)
    assert isinstance(answer, TestResponse)
    return answer


def test_a_scan_is_kept_sealed_given_back_and_deleted(portal: Portal, denise: Client) -> None:
    """SEC-12: told by content, sealed, only to be saved, once, hers to delete; beside the record as hers."""
    page = written(denise)
    request = page.rsplit("/", 1)[1]
    assert upload(denise, SCAN, "../Bericht Ä.exe", request=request).status_code == 303
    assert upload(denise, SCAN, "again.pdf").status_code == 303
    (row,) = portal.rows("SELECT * FROM added_file")
    assert b"canary" not in bytes(row.content_sealed) + bytes(row.name_sealed)
    listed = denise.get("/record/added").text
    assert "Bericht Ä.pdf" in listed
    assert "Canary Hill Clinic" in listed
    assert "Bericht Ä.pdf" in denise.get(page).text
    file = denise.get(f"/record/added/{row.id}")
    assert file.data == SCAN
    assert file.content_type == "application/pdf"
    assert file.headers["Content-Disposition"].startswith("attachment;")
    assert file.headers["X-Content-Type-Options"] == "nosniff"
    assert file.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert file.headers["Cache-Control"] == "no-store"
    assert "Delete this file?" in denise.get(f"/record/added/{row.id}/delete").text
    assert portal.rows("SELECT 1 FROM added_file"), "asking deletes nothing"
    assert denise.post(f"/record/added/{row.id}/delete").status_code == 303
    assert portal.rows("SELECT 1 FROM added_file") == []
    assert denise.get(f"/record/added/{row.id}").status_code == 404


REFUSED = (
    (b"", 422),
    (b"<html><script>x</script>", 422),
    (b"PK\x03\x04", 422),
    (b"%PDF-" + b"0" * (MOST_BYTES + 1), 413),
    (b"%PDF-" + b"0" * (MOST_BODY + 9), 413),
)


def test_what_is_not_kept(portal: Portal, denise: Client, tmp_path: Path) -> None:
    """SEC-12: empty, dangerous or too large; malware, a scanner that is away, and none configured: the file stays out
    and the person is told. A scanner that says yes has read the very bytes."""
    for content, status in REFUSED:
        assert upload(denise, content, "a.pdf").status_code == status, content[:20]
    copy = tmp_path / "seen"
    for scanner, status in (
        (Scanner("command", "/bin/false"), 422),
        (Scanner("command", "/no/scanner"), 503),
        (None, 503),
        (Scanner("command", f"/usr/bin/tee {copy}"), 303),
    ):
        assert portal.rows("SELECT 1 FROM added_file") == []
        object.__setattr__(portal.wiring.settings, "upload_scanner", scanner)
        assert upload(denise, SCAN, "a.pdf").status_code == status, scanner
    assert copy.read_bytes() == SCAN


COUNTED = """
INSERT INTO access_request (id, person_id, form, sealed, written_at)
  SELECT gen_random_uuid(), gen_random_uuid(), 'form', '', now() FROM generate_series(1, 11);
INSERT INTO access_event (request_id, person_id, form, kind, on_date, noted_at)
  SELECT id, person_id, k || n, k, '2026-01-01', now() FROM access_request, generate_series(1, 2) n,
    unnest(ARRAY['asked', 'came']) k WHERE k = 'asked' OR id <> (SELECT max(id::text)::uuid FROM access_request)
"""


def test_the_operator_sees_numbers_and_no_small_ones(portal: Portal) -> None:
    """Issue 4 (right of access): people are counted once, fewer than eleven are hidden, answers are nobody's."""
    browser: Any = portal.app.test_client()
    token = token_in(browser.get("/faq/reply", base_url=portal.url).text)
    for number in range(12):
        form = {"csrf_token": token, "care": "same"} | ({"clear": "no"} if number == 0 else {})
        address = {"REMOTE_ADDR": f"10.0.0.{number}"}
        sent = browser.post("/faq/reply", data=form, base_url=portal.url, environ_overrides=address)
        assert sent.status_code == 303
    bad = {"csrf_token": token, "care": "<x>"}
    assert browser.post("/faq/reply", data=bad, base_url=portal.url).status_code == 422
    portal_rows(portal, COUNTED)
    count_for_the_operator(portal.worker, now())
    said = words(browser.get("/operator", base_url=portal.url))
    assert "Asked a clinic by letter 11" in said
    assert "Received a record after a letter under 11" in said
    assert "Share with a study now under 11" in said
    assert "No, it stays the same (right) 12" in said
    assert "No, I have more questions under 11" in said
    assert not count_reached(portal.worker.database, now()), "not again within the hour"
    assert count_reached(portal.worker.database, now() + EVERY)
    with portal.worker.database.begin(as_propagation()) as session, pytest.raises(Exception, match="permission denied"):
        session.execute(text("SELECT reason_sealed FROM access_event"))


def portal_rows(portal: Portal, statements: str) -> None:
    """Rows that many people would have made, past row security."""
    engine = create_engine(sqlalchemy_url(portal.database.superuser_url))
    with engine.begin() as connection:
        for statement in statements.strip().split(";\n"):
            connection.execute(text(statement))
    engine.dispose()


def test_the_public_page(portal: Portal) -> None:
    """HIP-01…04, X-03: why and how, for people without our help too; each fact with its source and the day."""
    browser: Any = portal.app.test_client()
    for language in ("en", "es"):
        said = words(browser.get(f"/get-your-record?lang={language}", base_url=portal.url))
        for each in ("45 CFR 164.524(b)(2)", "45 CFR 164.524(c)(4)", "45 CFR 164.524(d)", "6.50", "20201", "2026"):
            assert each in said, each
    for page in ("/", "/faq"):
        assert 'href="/get-your-record"' in browser.get(page, base_url=portal.url).text
