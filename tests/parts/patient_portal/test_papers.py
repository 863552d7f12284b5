"""The papers a person keeps: exactly what was signed, a twin of any decision, and a form without an account."""

from __future__ import annotations

import base64
import hashlib
import html
import importlib
import json
import re
import secrets
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import typst
from babel.dates import format_date, format_datetime
from sqlalchemy import create_engine, text

from consent.authorization import ConsentText, Texts, load_texts
from consent.check_consent import check_consent
from consent.kept_texts import keep_texts
from database.context import as_nobody
from database.unit_of_work import sqlalchemy_url
from patient_portal.choices.catalogue import write_catalogue
from patient_portal.papers.glyphs import showable
from patient_portal.papers.typesetting import Paper, facts, heading, paragraphs, pdf_of
from patient_portal.wiring import now
from tests.support.pdf import Pdf
from tests.support.portal import Client, Portal, signed_in_client
from vocabulary.config_file import ConfigError

NAME = 'Renée <b>#let x = 1 $y$ \\"O"'
PARTS = {"answer": "yes", "categories": ["clinical", "therapy"], "sensitive": ["genetic"], "signed_name": NAME}
TIMES = {"language": "en", "zone": "Pacific/Guam", "opens": "8", "closes": "20", "pause": ""}
A_DAY = datetime(2026, 11, 22, 4, 31, 7, 123456, tzinfo=UTC)


@pytest.fixture
def denise(portal: Portal) -> Client:
    return signed_in_client(portal, "rv-p07", record=False)


def signs(client: Client, language: str = "en", form: dict[str, Any] | None = None) -> UUID:
    answer = client.post(
        f"/choices/efforts/living-well?lang={language}", {"form": secrets.token_urlsafe(24)} | (form or PARTS)
    )
    assert answer.status_code == 303, answer.text
    found = re.search(r"/choices/decision/([0-9a-f-]{36})", answer.headers["Location"])
    assert found
    return UUID(found.group(1))


def fetched(client: Client, path: str) -> Pdf:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "application/pdf"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "no-store" in answer.headers["Cache-Control"]
    pdf = Pdf(answer.data)
    assert (pdf.is_tagged, pdf.says_ua_1, pdf.embeds_every_font) == (True, True, True)
    return pdf


def words_of(page: str) -> list[str]:
    """Every heading, label and sentence of a page's main part."""
    main = page.split("<h1", 1)[1].split("</main", 1)[0]
    main = re.sub(r'(?s)<p class="actions.*?</p>', "", main)
    found = re.split(r"<[^>]+>|\n", main.split(">", 1)[1])
    return [spaceless(html.unescape(words)) for words in found if spaceless(words)]


def spaceless(words: str) -> str:
    """Words without what a line break may change."""
    return re.sub(r"\s+", "", words)


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_signed_copy_is_what_was_shown(portal: Portal, denise: Client, language: str) -> None:
    """HIP-10, HIP-11, P11-01, A11Y-04: a tagged PDF in the language shown, with every word of the page, who, when,
    what it means, the hash of the words; a name is data, whatever it looks like; and the same bytes every time."""
    write_catalogue(portal.worker, now())
    decision = signs(denise, language)
    pdf = fetched(denise, f"/choices/decision/{decision}/signed.pdf")
    assert pdf.language == language
    assert pdf.tags["H1"] == 1
    assert pdf.tags["H3"] >= 12
    shown = spaceless(pdf.text)
    page = denise.get(f"/choices/decision/{decision}/signed").text
    row = portal.rows("SELECT version, recorded_at FROM decision WHERE id = :id", id=decision)[0]
    signed_at = row.recorded_at.astimezone(ZoneInfo("America/New_York"))  # where she signed: the service's zone
    unlike = (
        "SHA-256",
        "living-well,",
        format_date(signed_at, "medium", language).replace(" ", ""),
    )  # said otherwise, and looked at below
    left_out = [words for words in words_of(page) if words not in shown and not words.startswith(unlike)]
    assert left_out == []
    text_shown = load_texts().newest("living-well", language)
    assert text_shown is not None
    for words in (
        NAME,
        text_shown.sha256,
        f"{decision} / {row.version}",
        f"living-well / 1 / {language}",
        format_datetime(signed_at, "long", locale=language),
    ):
        assert spaceless(words) in shown, words
    for part in text_shown.parts.values():
        assert all(spaceless(line) in shown for line in part.splitlines())
    assert denise.post("/notifications/times", TIMES).status_code == 303  # she reads in another zone now
    assert denise.get(f"/choices/decision/{decision}/signed.pdf").data == pdf.data


def test_a_receipt_names_the_signed_copy_by_its_hash(portal: Portal, denise: Client) -> None:
    """CON-03: sourceAttachment has type, hash, title, creation and language of the very file; R4's hash is SHA-1."""
    decision = signs(denise)
    pdf = denise.get(f"/choices/decision/{decision}/signed.pdf").data
    consent = json.loads(denise.get(f"/choices/decision/{decision}/receipt").data)["consent"]
    attached = consent["sourceAttachment"]
    assert base64.b64decode(attached["hash"]) == hashlib.sha1(pdf).digest()
    assert base64.b64decode(attached["extension"][0]["valueBase64Binary"]) == hashlib.sha256(pdf).digest()
    assert (attached["contentType"], attached["language"], attached["size"]) == ("application/pdf", "en", len(pdf))
    assert attached["title"]
    assert attached["creation"]
    assert check_consent(consent) == []
    no = signs(denise, form={"answer": "no"})
    assert "sourceAttachment" not in json.loads(denise.get(f"/choices/decision/{no}/receipt").data)["consent"]
    assert denise.get(f"/choices/decision/{no}/signed.pdf").status_code == 404


def publish(texts: Texts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pages know these texts instead of the shipped ones."""
    for name in ("pages.choices", "pages.papers", "papers.signed_copy"):
        monkeypatch.setattr(importlib.import_module(f"patient_portal.{name}"), "TEXTS", texts)


def edited(**parts: str) -> Texts:
    """The shipped texts with an English form of Living Well that somebody edited under its number."""
    return Texts(
        replace(each, parts={**each.parts, **parts}) if (each.id, each.language) == ("living-well", "en") else each
        for each in load_texts().all
    )


def test_the_copy_comes_from_what_was_kept(portal: Portal, denise: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """P11-01, LANG-02: today's file changes no old copy; without a kept row other words are refused; a changed row
    is found by its hash."""
    decision = signs(denise)
    others = edited(purpose="To sell it.")
    publish(others, monkeypatch)
    for path in ("signed", "signed.pdf"):
        assert denise.get(f"/choices/decision/{decision}/{path}").status_code == 409
    write_catalogue(portal.worker, now())
    assert "To sell it" not in fetched(denise, f"/choices/decision/{decision}/signed.pdf").text
    assert "To sell it" not in denise.get(f"/choices/decision/{decision}/signed").text
    engine = create_engine(sqlalchemy_url(portal.database.superuser_url))
    with engine.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(
            text("UPDATE consent_text SET body = replace(body, 'last after', 'follow') WHERE language = 'en'")
        )
    engine.dispose()
    for path in ("signed", "signed.pdf"):
        assert denise.get(f"/choices/decision/{decision}/{path}").status_code == 409


def test_an_edited_text_stops_the_start(portal: Portal) -> None:
    """LANG-02: other words under a number that is kept are refused with the remedy; a new version is taken."""
    write_catalogue(portal.worker, now())
    with (
        pytest.raises(ConfigError, match=r"living-well, version 1, language en.*differs in its words.*version = 2"),
        portal.worker.database.begin(as_nobody()) as session,
    ):
        keep_texts(session, edited(purpose="To sell it.").all, now())
    with portal.worker.database.begin(as_nobody()) as session:
        keep_texts(session, [*load_texts().all, second_version(major=True)], now())
    kept = portal.rows(
        "SELECT version, major FROM consent_text WHERE id = 'living-well' AND language = 'en' ORDER BY 1"
    )
    assert [tuple(row) for row in kept] == [(1, True), (2, True)]


def second_version(*, major: bool) -> ConsentText:
    first = load_texts().newest("living-well", "en")
    assert first is not None
    parts = {**first.parts, "expiry": "This form ends five years after you sign it."}
    return replace(first, version=2, major=major, parts=parts, changes=("The form now ends after five years.",))


@pytest.mark.parametrize("major", [True, False])
def test_only_a_major_version_asks_again(denise: Client, monkeypatch: pytest.MonkeyPatch, major: bool) -> None:
    """LANG-02, X-02: the person is told, sees what changed, keeps what they said; a minor version says nothing; the
    old signed copy stays what it was."""
    decision = signs(denise)
    before = denise.get(f"/choices/decision/{decision}/signed.pdf").data
    texts = Texts([*load_texts().all, second_version(major=major)])
    publish(texts, monkeypatch)
    page = denise.get("/choices/efforts/living-well").text
    assert ("We ask you again" in page) is major
    assert "You said yes" in page
    assert ("because the form has changed" in denise.get("/choices").text) is major
    changes = denise.get("/choices/efforts/living-well/changes").text
    assert "The form now ends after five years." in changes
    assert "<ins>This form ends five years after you sign it.</ins>" in changes
    assert "<del>This form has no end date." in changes
    assert "Nothing changed" in denise.get("/choices/efforts/living-well/changes?from=2&to=2").text
    assert denise.get("/choices/efforts/living-well/changes?from=7").status_code == 404
    assert denise.get("/choices/efforts/nothing/changes").status_code == 404
    assert denise.get(f"/choices/decision/{decision}/signed.pdf").data == before
    again = signs(denise)
    assert "We ask you again" not in denise.get("/choices/efforts/living-well").text
    assert "five years" in fetched(denise, f"/choices/decision/{again}/signed.pdf").text


def test_the_paper_twin_of_any_decision(denise: Client) -> None:
    """Issue 3 (paper twin), A11Y-04: one page for a yes and a no, its codes pictures with words, no name on it."""
    for form in (PARTS, {"answer": "no"}):
        decision = signs(denise, form=form)
        for language in ("en", "es"):
            pdf = fetched(denise, f"/choices/decision/{decision}/paper.pdf?lang={language}")
            assert (pdf.language, len(pdf.pages)) == (language, 1)
            assert pdf.tags["Figure"] >= 1
            assert spaceless(str(decision)) in spaceless(pdf.text)
            assert "Renée" not in pdf.text
            unknown = ("had no signed place in our list", "these had not confirmed your choice: ")  # no feed is at work
            assert all(spaceless(words) in spaceless(pdf.text) for words in unknown) or language == "es"


@pytest.mark.parametrize(("language", "words"), [("en", "Take me out of CancerLinQ"), ("es", "Sáquenme de CancerLinQ")])
def test_the_form_without_an_account(portal: Portal, language: str, words: str) -> None:
    """A11Y-04, decisions (without an account): the form of the public page, tagged, on one page, in each language."""
    browser = portal.app.test_client()
    answer = browser.get(f"/without-account/form.pdf?lang={language}", base_url=portal.url)
    pdf = Pdf(answer.data)
    assert (pdf.language, pdf.is_tagged, pdf.says_ua_1, len(pdf.pages)) == (language, True, True, 1)
    assert spaceless(words) in spaceless(pdf.text)
    page = browser.get(f"/without-account?lang={language}", base_url=portal.url).text
    assert "/without-account/form.pdf" in page
    form = page.split('class="panel paper-form"', 1)[1].split("</section>", 1)[0].split(">", 1)[1]
    for line in re.split(r"<[^>]+>|\n", form):
        assert spaceless(html.unescape(line)) in spaceless(pdf.text), line


def paper(*parts: Any, language: str = "en") -> Paper:
    return Paper("A title", language, A_DAY, "A footer", [heading(1, "A title"), *parts])


def test_what_does_not_conform_is_refused() -> None:
    """A11Y-04: the typesetter itself refuses a skipped heading level, so no untagged file can leave."""
    pdf_of(paper(heading(2, "Below"), heading(3, "Further below")))
    with pytest.raises(typst.TypstError, match="heading"):
        pdf_of(paper(heading(3, "Too far below")))


def test_every_character_that_is_called_showable_is_shown() -> None:
    """P11-01: no letter of a name is lost in silence; what no font has is written as its number, and turns no line."""
    assert showable("Zoë Müller Łukasz Нина Nguyễn محمد") == "Zoë Müller Łukasz Нина Nguyễn محمد"
    assert showable("王\u202eé\u0000") == "[U+738B][U+202E]é[U+0000]"
    assert showable("22\u200f/11\u200f/2026") == "22/11/2026"
    every = [chr(code) for code in range(0x20, 0x20000) if showable(chr(code)) == chr(code)]
    assert len(every) > 3_000
    pdf_of(paper(paragraphs(" ".join(every))))


@pytest.mark.parametrize("name", ["#panic()", "*bold* _it_ `raw` $x$ @ref <label> // no", "] #[", "\\u{41} \"q\" 'q'"])
def test_words_are_data(name: str) -> None:
    """SEC-05 in spirit: nothing typed is read as markup, in a value, a heading or a paragraph."""
    shown = spaceless(Pdf(pdf_of(paper(heading(2, name), paragraphs(name), facts([(name, name)])))).text)
    assert shown.count(spaceless(name)) == 4


def test_a_long_name_stays_on_the_paper() -> None:
    """P11-01: two hundred letters without a space wrap and are all there."""
    shown = Pdf(pdf_of(paper(facts([("Signed by", "W" * 200)])))).text
    assert spaceless(shown).count("W") == 200


@pytest.mark.skipif(shutil.which("pdfinfo") is None, reason="poppler is a second opinion; our own reader looks always")
def test_poppler_agrees(tmp_path: Path) -> None:
    """A11Y-04: an independent reader finds the tags, the language and the words too."""
    file = tmp_path / "paper.pdf"
    file.write_bytes(pdf_of(paper(facts([("Signed by", "José Ñandú")]), language="es")))
    told = subprocess.run(["pdfinfo", str(file)], capture_output=True, text=True, check=True).stdout
    assert re.search(r"Tagged:\s+yes", told)
    assert re.search(r"PDF subtype:\s+PDF/UA-1|PDF version:\s+1\.7", told)
    words = subprocess.run(["pdftotext", str(file), "-"], capture_output=True, text=True, check=True).stdout
    assert "José Ñandú" in words
