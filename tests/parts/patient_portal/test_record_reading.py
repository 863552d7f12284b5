"""Understanding a record: tests over time, what opens with one's doctor, and what a person says themselves."""

from __future__ import annotations

import re

from markupsafe import Markup

from tests.parts.patient_portal.test_record import lines_of, shown
from tests.support.pdf import Pdf
from tests.support.portal import Portal, signed_in_client


def test_a_test_over_time_and_what_to_open_with_my_doctor(portal: Portal) -> None:
    """MC-06, FHIR-19, LANG-01: each lab has a page of its own; trusted pages for the topic of a list, words explained
    in place; what was set stays closed, is in the page, and opens again."""
    client = signed_in_client(portal, "rv-p01")
    page = client.get("/record").text
    assert 'role="img"' in page
    assert '<details class="later">' not in page
    links = client.get("/record/kind/test-results").text.partition("Read more from sources we trust")[2]
    said = Markup(links).striptags()
    assert "MedlinePlus, National Library of Medicine" in said
    assert "listed here November 22, 2026" in said
    assert 'rel="noopener noreferrer external"' in links
    assert "Finding a doctor and who is on a care team" in client.get("/record/kind/care-team").text
    entry = next(one for one in lines_of(client, "test-results") if "/over-time" in client.get(one).text)
    assert "What some words here mean" in client.get(lines_of(client, "procedures")[0]).text
    course = client.get(entry + "/over-time")
    assert course.status_code == 200
    assert 'role="img"' in course.text
    assert "<table" in course.text

    note = lines_of(client, "notes-and-reports")[0]
    assert client.get(note + "/over-time").headers["Location"].endswith(note)

    assert client.post("/record/reading", {"later": ["stage", "pathology", "outlook", "x"]}).status_code == 303
    folded = client.get("/record").text
    stage = re.search(r"<dt>.{0,400}?Stage.{0,900}?</dd>", folded, re.DOTALL)
    assert stage is not None
    assert '<details class="later"><summary>This is about your stage' in stage.group()
    assert "IIA" in stage.group()  # in the page, one press away: nothing is held back
    sealed = portal.rows("SELECT sealed FROM reading_choice")
    assert len(sealed) == 1
    assert b"stage" not in bytes(sealed[0].sealed)
    assert "checked" in client.get("/record/reading").text

    assert client.post("/record/reading", {}).status_code == 303
    assert '<details class="later">' not in client.get("/record").text
    assert "Stage" in shown(client, "/record")


def test_what_i_say_stands_apart(portal: Portal) -> None:
    """HIP-05: what is missing is named; what a person adds is sealed, shown as theirs, in no copy, and taken back."""
    client = signed_in_client(portal, "rv-p02")
    assert client.post("/record/mine", {"words": " "}).status_code == 422
    said = {"topic": "cells", "words": "Gleason was <b>7</b>, not 6", "day": "2020", "corrects": "yes"}
    assert client.post("/record/mine", said).status_code == 303
    for path in ("/record", "/record/mine"):
        assert "You said What kind of cells it is made of Gleason was <b>7</b>, not 6" in shown(client, path)
        assert "<b>7</b>" not in client.get(path).text
    row = portal.rows("SELECT id, sealed FROM own_statement")[0]
    assert b"Gleason" not in bytes(row.sealed)
    assert client.post("/record/mine/letter", {"wrong": "x"}).status_code == 422
    letter = client.post("/record/mine/letter", {"hospital": "riverside", "wrong": "Gleason 6", "right": "Gleason 7"})
    assert letter.content_type == "application/pdf"
    assert letter.data.startswith(b"%PDF")
    other = signed_in_client(portal, "rv-p01")
    assert other.post(f"/record/mine/{row.id}/remove").status_code == 404
    assert client.post(f"/record/mine/{row.id}/remove").status_code == 303
    assert "Gleason was" not in shown(client, "/record/mine")


def test_the_pack_for_an_appointment(portal: Portal) -> None:
    """A11Y-04: two tagged pages in two languages; what is to be opened with the doctor stays out of it."""
    client = signed_in_client(portal, "rv-p01")
    page = client.get("/record?lang=es").text
    assert "cancer.gov/espanol/tipos/seno" in page
    assert re.search(r"<p>1,\d{3}<", page), "a thousand as in the US: 1.206 beside 17.6 U/mL would be read as one"
    client.post("/record/reading", {"later": ["stage"]})
    made = client.post("/record/appointment", {"questions": "Can I travel?"})
    assert made.content_type == "application/pdf"
    story, questions = (" ".join(page.split()) for page in Pdf(made.data).pages)
    assert "Breast cancer" in story
    assert "Cáncer" in story
    assert "IIA" not in story
    assert "Can I travel?" in questions
