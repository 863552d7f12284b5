"""Understanding a record: one test over time, and what a person would rather open with their doctor."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from fhir_bridge.own_words import keep_choice, own_words
from fhir_bridge.reading.chart import Chart, chart_of
from fhir_bridge.reading.delicate import CHOOSABLE, NAMES
from fhir_bridge.reading.summary_model import MarkerTrend
from fhir_bridge.record_over_time import has_course, over_time
from patient_portal.edge.languages import direction_of
from patient_portal.edge.page_context import language_code
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, gate
from patient_portal.pages.own_record import entry_named, own_record, provider_names
from patient_portal.wiring import now
from patient_portal.words.glossary import glossary, terms_in

blueprint = Blueprint("reading", __name__)


@blueprint.app_template_filter("chart")
def chart(trend: MarkerTrend) -> Chart | None:
    """The picture of a trend, running the way the reader's language runs."""
    return chart_of(trend, from_right=direction_of(language_code()) == "rtl")


@blueprint.app_template_filter("meaning")
def meaning(term: str) -> tuple[str, str]:
    """What a word of the glossary means, and in which language that is said."""
    return glossary()[term].meaning(language_code())


@blueprint.app_template_filter("terms")
def terms(texts: Iterable[object]) -> list[tuple[str, tuple[str, str]]]:
    """The glossary's words in texts of a page, with what they mean."""
    return [(word, term.meaning(language_code())) for word, term in terms_in(str(one) for one in texts if one)]


@blueprint.get("/record/entry/<uuid:entry>/over-time")
@gate(Gate.READS)
def course(entry: UUID) -> str | Response:
    """Every value of the test that an entry reports, as a picture and a table; what is no test has its own page."""
    older_than = entry_named("older_than")
    with own_record() as record:
        stored = record.entry(entry)
        found = over_time(record, stored, older_than) if has_course(stored.resource) else None
    if found is None:
        return redirect(url_for("record.entry", entry=entry), 303)
    further = older_than is not None
    return render_template(
        "record/over_time.html", found=found, entry=entry, names=provider_names(), further=further
    )  # fmt: skip


@blueprint.get("/record/reading")
@gate(Gate.PATIENT)
def choose() -> str:
    """What stays closed behind a question, as the person set it."""
    with own_record() as record:
        later = own_words(record).later
    topics = {one: NAMES[one] for one in CHOOSABLE}
    return render_template("record/reading.html", topics=topics, chosen=[one.value for one in later])


@blueprint.post("/record/reading")
@gate(Gate.PATIENT)
@limited("reading", per_minute=30)
def keep() -> Response:
    """Keep what was ticked; nothing ticked means that all is shown."""
    ticked = set(request.form.getlist("later"))
    with own_record() as record:
        keep_choice(record, {one for one in CHOOSABLE if one.value in ticked}, now())
    flash(gettext("Saved. You can change this at any time."))
    return redirect(url_for("record.overview"), 303)
