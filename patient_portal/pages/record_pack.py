"""The appointment pack: two pages with the story and the questions, to take along."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request

from fhir_bridge.own_words import own_words
from fhir_bridge.reading.minimum import missing_from
from fhir_bridge.reading.together import together
from fhir_bridge.record_sources import standing
from patient_portal.edge.page_context import language_code
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, gate
from patient_portal.pages.own_record import own_record
from patient_portal.papers.appointment_pack import LONGEST, MOST_OWN, QUESTIONS, appointment_pack
from patient_portal.papers.typesetting import pdf_of
from patient_portal.wiring import now

blueprint = Blueprint("pack", __name__)


@blueprint.get("/record/appointment")
@gate(Gate.READS)
def prepare() -> str:
    """The questions, and room for one's own."""
    return render_template("record/appointment.html", questions=QUESTIONS, longest=LONGEST, most=MOST_OWN)


@blueprint.post("/record/appointment")
@gate(Gate.READS)
@limited("paper", per_minute=30)
def make() -> Response:
    """The pack as a PDF; nothing of it is kept."""
    with own_record() as record:
        found, own = standing(record, now()), own_words(record)
    story = together(found.stories).story
    asked = request.form.get("questions", "")[: LONGEST * MOST_OWN].splitlines()
    missing = missing_from(story) if found.stories else ()
    paper = appointment_pack(story, missing, asked, own.later, language_code(), now())
    response = Response(pdf_of(paper), content_type="application/pdf")
    response.headers["Content-Disposition"] = 'attachment; filename="for-my-appointment.pdf"'
    return response
