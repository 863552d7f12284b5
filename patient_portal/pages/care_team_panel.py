"""The care team's own door, without a chart: sign in at the hospital, find a patient, open their one screen."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, redirect, render_template, request, session, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from fhir_bridge.providers import Provider
from patient_portal.care_team.hospital import RelationEnded, find_patients, own_patients
from patient_portal.care_team.panel import note_listed, open_patient
from patient_portal.care_team.relation import LONGEST_SEARCH, Found, wanted
from patient_portal.care_team.session import asking, ended, has_panel, keep_chart
from patient_portal.edge.page_context import language_code
from patient_portal.edge.rate_limits import limited
from patient_portal.edge.security_headers import forms_go_to
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.pages.sign_in import to_hospital
from patient_portal.papers.care_team_form import care_team_form
from patient_portal.papers.typesetting import pdf_of
from patient_portal.wiring import now, wiring
from vocabulary.errors import Invalid, NotFound

blueprint = Blueprint("care_team_panel", __name__, url_prefix="/care-team")
MOST_ID = 64


@blueprint.get("/sign-in")
@gate(Gate.PUBLIC)
def choose() -> str:
    """The entry screen, which the code on the printed form opens: at which hospital do you work?"""
    return render_template("care_team/sign_in.html", providers=_served(), here=current_actor())


@blueprint.get("/sign-in/<provider>")
@gate(Gate.PUBLIC)
def confirm(provider: str) -> str:
    """One hospital, and a button: a link alone changes nothing (SEC-03)."""
    found = _served_one(provider)
    forms_go_to(found)
    return render_template("care_team/confirm.html", provider=found)


@blueprint.post("/sign-in/<provider>")
@gate(Gate.PUBLIC)
@limited("sign-in", per_minute=20)
def begin(provider: str) -> AnyResponse:
    """Send the browser to the hospital, for staff's own rights and no patient."""
    return to_hospital(_served_one(provider), after="", launch=None, panel=True)


@blueprint.get("/patients")
@gate(Gate.CARE_TEAM)
def patients() -> AnyResponse:
    """The member's own patients, and the search."""
    if not has_panel():
        return redirect(
            url_for("care_team.chart") if current_actor().person else url_for("care_team_panel.choose"), 303
        )
    try:
        return make_response(_page(_noted("own", own_patients(asking(), now())), ""))
    except RelationEnded as error:
        return make_response(ended(error))


@blueprint.post("/patients")
@gate(Gate.CARE_TEAM)
@limited("staff-search", per_minute=60)
def search() -> AnyResponse:
    """Find by name, birth date or record number. Sent as a form, so that no name stands in an address."""
    if not has_panel():
        raise NotFound("panel")
    query = " ".join(request.form.get("q", "").split())[:LONGEST_SEARCH]
    form = wanted(query, asking().provider.identifier_system)
    if not form:
        error = {"q": gettext("Type a name, a birth date or a record number.")}
        return make_response(_page([], query, error), 422)
    try:
        return make_response(_page(_noted("search", find_patients(asking(), form)), query))
    except RelationEnded as error:
        return make_response(ended(error))


@blueprint.post("/open")
@gate(Gate.CARE_TEAM)
@limited("staff-open", per_minute=60)
def open_one() -> AnyResponse:
    """Open the one screen for a patient of one's own."""
    patient = request.form.get("patient", "")
    if not has_panel():
        raise NotFound("panel")
    if not 0 < len(patient) <= MOST_ID or not patient.isascii():
        raise Invalid("patient")
    try:
        person, chart = open_patient(asking(), current_actor(), patient, now())
    except RelationEnded as error:
        return make_response(ended(error))
    keep_chart(person, chart)
    return redirect(url_for("care_team.chart"), 303)


@blueprint.get("/form.pdf")
@gate(Gate.PUBLIC)
@limited("paper", per_minute=30)
def form() -> Response:
    """The form to fill in at the desk, in the reader's language, with a code that opens the entry screen."""
    entry = wiring().settings.base_url + url_for("care_team_panel.choose")
    response = make_response(pdf_of(care_team_form(language_code(), entry, wiring().settings.help_phone)))
    response.content_type = "application/pdf"
    response.headers["Content-Disposition"] = 'attachment; filename="opt-out-at-the-clinic.pdf"'
    return response


def _noted(what: str, found: list[Found]) -> list[Found]:
    note_listed(asking(), current_actor(), what, len(found), now())
    return found


def _page(found: list[Found], query: str, errors: dict[str, str] | None = None) -> str:
    return render_template(
        "care_team/patients.html", found=found, query=query, errors=errors or {}, provider=asking().provider,
        open_chart=session.get("chart_name"),
    )  # fmt: skip


def _served() -> list[Provider]:
    return sorted((one for one in wiring().settings.providers if one.care_team), key=lambda one: one.name)


def _served_one(provider: str) -> Provider:
    found = wiring().provider(provider)
    if not found.care_team:
        raise NotFound("provider")
    return found
