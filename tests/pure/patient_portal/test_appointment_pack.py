"""The pack for an appointment: two pages, however long the story is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask_babel import Babel

from fhir_bridge.reading.cancers import SITE_NAMES
from fhir_bridge.reading.dates import read_date
from fhir_bridge.reading.delicate import Delicate
from fhir_bridge.reading.minimum import Topic
from fhir_bridge.reading.sides import SIDE_NAMES
from fhir_bridge.reading.summary_model import Cancer, CancerSummary, Finding, Marker, Spread, Stage, Treatment
from patient_portal.papers.appointment_pack import LONGEST, MOST_CANCERS, MOST_OWN, MOST_TREATMENTS, appointment_pack
from patient_portal.papers.typesetting import pdf_of
from patient_portal.words import catalogs
from tests.support.pdf import Pdf

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = read_date("2024-05-06")


@pytest.fixture(scope="module")
def app() -> Flask:
    made = Flask("paper")
    Babel(made, default_translation_directories=str(catalogs.FOLDER))
    return made


def long_story() -> CancerSummary:
    """As much as a person may have, in the longest words."""
    markers = tuple(Marker(f"Marker {n}", "positive", "", DAY, "Observation/m") for n in range(9))
    stages = (Stage("IIIC", "TNM", None, DAY, ("T3", "N2", "M0"), "", "Observation/s"),) * 2
    spread = tuple(Spread(f"Cancer spread to place {n}", "", DAY, "Condition/s") for n in range(4))
    cancer = Cancer(
        ("Condition/c",), "breast", SITE_NAMES["mesothelioma"], SIDE_NAMES["both"], "In the long words of doctors " * 4,
        DAY, "A kind of cells " * 4, "", "", False, stages, markers, markers, spread,
    )  # fmt: skip
    course = Treatment(
        "chemotherapy", "Chemotherapy", ("cyclophosphamide", "doxorubicin", "fluorouracil"), "", DAY, DAY, False, 6, "",
        None, "", "", ("MedicationRequest/m",),
    )  # fmt: skip
    doubt = Finding("not confirmed", "Suspected cancer of another place", DAY, "Condition/d")
    return CancerSummary(
        (cancer,) * (MOST_CANCERS + 1), stages, markers, markers, spread, treatments=(course,) * (MOST_TREATMENTS + 4),
        told_apart=(doubt,) * 3, disease_status=doubt, performance=doubt,
    )  # fmt: skip


@pytest.mark.parametrize("language", ["en", "es", "ar"])
@pytest.mark.parametrize("story", [CancerSummary(), long_story()], ids=["nothing", "very much"])
def test_two_pages_in_two_languages(app: Flask, story: CancerSummary, language: str) -> None:
    """Issue 4 (understanding), A11Y-04: never a third page; the story on the first, the questions and room to write on
    the second; each told in the person's language and in English."""
    own = [f"{n} " + "Can I travel? " * (LONGEST // 14) for n in range(MOST_OWN + 2)]
    with app.test_request_context():
        pdf = Pdf(pdf_of(appointment_pack(story, tuple(Topic), own, (), language, NOW)))
    assert len(pdf.pages) == 2
    assert (pdf.says_ua_1, pdf.is_tagged, pdf.language) == (True, True, language)
    told, asked = (" ".join(page.split()) for page in pdf.pages)
    assert "My story" in told
    assert "What I want to remember" in asked
    assert f"{MOST_OWN - 1} Can I travel?" in asked
    assert "Should anyone in my family be tested?" in asked, "whole, beside a language of the other direction too"


def test_what_cannot_be_tied_to_one_cancer_stands_apart(app: Flask) -> None:
    """MC-04, MC-07: a stage that names neither of two cancers is told once, under none of them, and how one cancer is
    doing is told under that one; what is to be opened with the doctor stays out."""
    one = Cancer(("Condition/c",), "breast", "Breast cancer", None, "", DAY, "", "", "", False)
    other = replace(one, title="Bladder cancer", disease_status=Finding("No sign of cancer", "", DAY, "Observation/d"))
    story = CancerSummary((other, one), stages=(Stage("IV", "TNM", None, DAY, (), "", "Observation/s"),))
    with app.test_request_context():
        open_ = Pdf(pdf_of(appointment_pack(story, (), (), (), "en", NOW))).text
        closed = Pdf(pdf_of(appointment_pack(story, (), (), (Delicate.STAGE,), "en", NOW))).text
    assert open_.count("IV") == 1
    assert open_.index("Bladder cancer") < open_.index("No sign of cancer") < open_.index("Breast cancer")
    assert "IV" not in closed
