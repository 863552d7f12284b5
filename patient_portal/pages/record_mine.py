"""What I say: things a person adds to their record or corrects, kept apart from what a hospital sent; and the letter by
which they ask the hospital to change it."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from fhir_bridge.own_words import LONGEST, own_words, say, take_back
from fhir_bridge.reading.minimum import TOPIC_NAMES, Topic, missing_from
from fhir_bridge.reading.together import together
from fhir_bridge.record_sources import standing
from patient_portal.edge.page_context import say as said
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, gate
from patient_portal.pages.own_record import own_record, provider_names, shown_statements
from patient_portal.papers.amendment_letter import Amendment, amendment_letter
from patient_portal.papers.typesetting import pdf_of
from patient_portal.wiring import now

blueprint = Blueprint("mine", __name__)


@blueprint.get("/record/mine")
@gate(Gate.READS)
def overview() -> str:
    """What the person said, what the record lacks, and the forms to add and to ask for a change."""
    return _page({}, {})


@blueprint.post("/record/mine")
@gate(Gate.READS)
@limited("mine", per_minute=30)
def add() -> AnyResponse:
    """Keep one statement in the person's own words."""
    typed = {name: request.form.get(name, "").strip() for name in ("topic", "words", "day")}
    if not typed["words"] or len(typed["words"]) > LONGEST:
        return make_response(_page(typed, {"words": gettext("Write a few words, at most 1,000 letters.")}), 422)
    topic = typed["topic"] if typed["topic"] in set(Topic) else Topic.OTHER.value
    with own_record() as record:
        say(record, topic, typed["words"], typed["day"], corrects="corrects" in request.form, now=now())
    flash(gettext("Saved. Only you see it here. It is not part of what your hospital sent."))
    return redirect(url_for("mine.overview"), 303)


@blueprint.post("/record/mine/<uuid:statement>/remove")
@gate(Gate.FOR_PERSON)
def remove(statement: UUID) -> AnyResponse:
    """Take one statement back for good."""
    with own_record() as record:
        take_back(record, statement)
    flash(gettext("Removed."))
    return redirect(url_for("mine.overview"), 303)


@blueprint.post("/record/mine/letter")
@gate(Gate.FOR_PERSON)
@limited("paper", per_minute=30)
def letter() -> AnyResponse:
    """The letter to the hospital as a PDF; nothing of it is kept."""
    typed = {name: request.form.get(name, "").strip()[:LONGEST] for name in ("hospital", "wrong", "right", "why")}
    errors = {name: gettext("Please fill this in.") for name in ("wrong", "right") if not typed[name]}
    if errors:
        return make_response(_page(typed, errors), 422)
    hospital = provider_names().get(typed["hospital"], "")
    response = Response(
        pdf_of(amendment_letter(Amendment(hospital, typed["wrong"], typed["right"], typed["why"]), now()))
    )
    response.content_type = "application/pdf"
    response.headers["Content-Disposition"] = 'attachment; filename="request-to-change.pdf"'
    return response


def _page(typed: dict[str, str], errors: dict[str, str]) -> str:
    with own_record() as record:
        found, own = standing(record, now()), own_words(record, statements=True)
    names = provider_names()
    story = together(found.stories).story
    return render_template(
        "record/mine.html", said=shown_statements(own), topics=TOPIC_NAMES,
        missing=missing_from(story) if found.stories else (),
        typed=typed, errors=errors, topic_options=[(one.value, said(words)) for one, words in TOPIC_NAMES.items()],
        hospitals=[(one, names[one]) for one in dict.fromkeys(source.provider_id for source in found.sources)
                   if one in names],
    )  # fmt: skip
