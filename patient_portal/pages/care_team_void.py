"""An entry for the wrong person, taken back from the chart by two: who made it asks, a colleague agrees."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from consent.void_entry import agree_void, ask_void
from patient_portal.care_team.chart import tell_person
from patient_portal.care_team.session import member, watch
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.wiring import now, wiring
from vocabulary.errors import Conflict, Invalid, Refused

blueprint = Blueprint("care_team_void", __name__, url_prefix="/care-team/void")
watch(blueprint)


@blueprint.post("")
@gate(Gate.CARE_TEAM)
@limited("decide", per_minute=30)
def ask() -> AnyResponse:
    """Ask for one's own entry to be taken back."""
    person = current_actor().person
    assert person is not None
    try:
        ask_void(wiring().database, wiring().keyring, person, _entry(), request.form.get("why", ""), member(), now())
    except Invalid as error:
        words = gettext("Write in a few words what went wrong: at most 500 characters.")
        flash(words if error.reason == "reason" else gettext("Nothing was changed."), "error")
    except Conflict:
        flash(gettext("The patient has answered since. Now only the patient can change it."), "warning")
    else:
        flash(gettext("Now a colleague of your practice has to open this chart and agree. Until then it counts."))
    return redirect(url_for("care_team.chart"), 303)


@blueprint.post("/agree")
@gate(Gate.CARE_TEAM)
@limited("decide", per_minute=30)
def agree() -> AnyResponse:
    """Agree, as the second person: the entry is taken back and the patient is told."""
    person = current_actor().person
    assert person is not None
    try:
        made = agree_void(wiring().database, wiring().keyring, person, _entry(), member(), now())
    except Conflict:
        flash(gettext("The patient has answered since. Now only the patient can change it."), "warning")
        return redirect(url_for("care_team.chart"), 303)
    except Refused as error:
        if error.reason != "needs-a-second-person":
            raise
        flash(gettext("You made this entry. Somebody else of your practice has to agree."), "error")
        return redirect(url_for("care_team.chart"), 303)
    tell_person(wiring().database, made.person_id, made.id, made.practice, now())
    flash(gettext("The entry is taken back. The patient is told."))
    return redirect(url_for("care_team.chart"), 303)


def _entry() -> UUID:
    try:
        return UUID(request.form.get("entry", ""))
    except ValueError:
        raise Invalid("entry") from None
