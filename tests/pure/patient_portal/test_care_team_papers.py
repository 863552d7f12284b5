"""The form for the desk and the letter to the person, in every language, as tagged PDF."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from uuid import UUID

import pytest
import segno
from flask import Flask
from flask_babel import Babel

from consent.decision import CANCERLINQ, Answer, ByWhom, Decision, Means
from patient_portal.papers.care_team_form import care_team_form
from patient_portal.papers.care_team_letter import address_of, care_team_letter, letter_to, letters_paper
from patient_portal.papers.typesetting import pdf_of
from patient_portal.words import catalogs
from tests.support.pdf import Pdf
from vocabulary.actor import ActorKind

ENTRY = "https://portal.example.org/care-team/sign-in"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PATIENT = {
    "resourceType": "Patient", "id": "p1", "name": [{"given": ["Rosa"], "family": "Martinez"}],
    "address": [
        {"use": "old", "line": ["1 Gone Street"], "city": "Elsewhere"},
        {"use": "home", "line": ["12 Alder Street"], "city": "Denver", "state": "CO", "postalCode": "80205"},
    ],
}  # fmt: skip
TITLES = {"en": "For the care team", "es": "Para el equipo de atención", "ar": "لفريق الرعاية"}


@pytest.fixture(scope="module", autouse=True)
def words() -> object:
    app = Flask(__name__)
    catalogs.compile_if_older()
    Babel(app, default_translation_directories=str(catalogs.FOLDER))
    with app.test_request_context():
        yield


def decision(means: Means = Means.PAPER) -> Decision:
    return Decision(
        id=UUID(int=5), person_id=UUID(int=6), version=1, subject=CANCERLINQ, answer=Answer.NO,
        by=ByWhom(ActorKind.CARE_TEAM), means=means, language="en", text_id=None, text_version=None, asked_at=NOW,
        recorded_at=NOW, salt=b"", confirmed_by_person=False, reason="Asked at a visit",
    )  # fmt: skip


@pytest.mark.parametrize("language", TITLES)
def test_the_form_in_each_language(language: str) -> None:
    """X-04, A11Y-04: tagged, in its own words, with the code and the address of the entry screen on one page."""
    paper = care_team_form(language, ENTRY, "(888) 282-2552")
    made = Pdf(pdf_of(paper))
    assert (made.is_tagged, made.says_ua_1, len(made.pages)) == (True, True, 1)
    assert made.language.startswith(language)
    if language != "ar":  # Arabic letters are joined in the file; the catalog is looked at instead
        assert TITLES[language] in made.text
    assert any(part.get("text") == TITLES[language] for part in paper.parts)
    out = BytesIO()
    segno.make_qr(ENTRY, error="m").save(out, kind="svg", xmldecl=False, border=4, dark="#000", light="#fff")
    shown = [image["svg"] for part in paper.parts if part["kind"] == "codes" for image in part["images"]]
    assert shown == [out.getvalue().decode()]


@pytest.mark.parametrize("means", [Means.PAPER, Means.VOID])
@pytest.mark.parametrize("language", TITLES)
def test_the_letter(language: str, means: Means) -> None:
    """Abuse 10: name and address first and alone, then what was recorded, when, and how to change it in one step."""
    letter = letter_to(PATIENT, decision(means), clinic="Riverside", link="https://p.example/choices", help_phone="1-2")
    paper = care_team_letter(letter, language, NOW)
    assert list(paper.parts[0]["text"]) == ["Rosa Martinez", "12 Alder Street", "Denver, CO 80205"]
    assert paper.parts[0]["kind"] == "address"  # the number before the street, in Arabic too
    named = {words for _code, _direction, words in paper.parts[-1]["words"]}
    assert {"Tiếng Việt", "Русский"} < named
    assert not {"简体中文", {"en": "English", "es": "Español", "ar": "العربية"}[language]} & named
    said = Pdf(pdf_of(paper))
    assert len(said.pages) == 1
    assert "https://p.example/choices" in said.text
    words = repr(paper.parts)
    assert ("mistake" in words) is (means is Means.VOID and language == "en")


def test_letters_of_a_list_each_on_its_page() -> None:
    """A list's letters in one file: nobody's letter begins on another's page."""
    letter = letter_to(PATIENT, decision(), clinic="Riverside", link="https://p.example/choices", help_phone="1-2")
    assert len(Pdf(pdf_of(letters_paper([letter, letter, letter], "es", NOW))).pages) == 3


@pytest.mark.parametrize("address", [None, [], [{}], "x", [{"use": "old", "line": ["1 Gone Street"]}], [{"line": 7}]])
def test_without_an_address(address: object) -> None:
    """A chart without a usable address gives a letter with the name alone."""
    assert address_of({"address": address}) == []
