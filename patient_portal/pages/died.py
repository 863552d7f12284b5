"""Somebody tells us of a death, without signing in; and "this is a mistake", said by who is alive (HIP-16)."""

from __future__ import annotations

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from consent.authority.deaths import Outcome, dispute, report_death, settle_report, waiting
from notifications.silence import fall_silent, persons_at, speak_again
from patient_portal.edge.page_context import say
from patient_portal.edge.rate_limits import limited
from patient_portal.family.words import PROBLEMS
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.in_touch.texting import texting_of
from patient_portal.pages.own_record import own_session
from patient_portal.wiring import now, wiring
from vocabulary.errors import Invalid

blueprint = Blueprint("died", __name__)
REPORTS_AN_HOUR = 60
"""From everybody together: a thousand addresses do not fill the queue of staff."""


@blueprint.get("/someone-died")
@gate(Gate.PUBLIC)
def form() -> str:
    """What we ask, and what happens then."""
    return render_template("family/died.html", errors={}, given={})


@blueprint.post("/someone-died")
@gate(Gate.PUBLIC)
@limited("someone-died", per_minute=4, in_all_per_hour=REPORTS_AN_HOUR)
def report() -> AnyResponse:
    """Keep it, pause the texts, tell staff. The answer is the same whether or not we know anybody of that number."""
    parts, moment = wiring(), now()
    found = persons_at(texting_of(parts), request.form.get("phone", "")[:40])
    try:
        report_death(parts.database, parts.keyring, request.form, found, moment, fall_silent)
    except Invalid as error:
        words = {name: str(say(PROBLEMS.get((name, code), PROBLEMS["", ""]))) for name, code in error.fields.items()}
        return make_response(render_template("family/died.html", errors=words, given=request.form), 422)
    return redirect(url_for("died.thanks"), 303)


@blueprint.get("/someone-died/thank-you")
@gate(Gate.PUBLIC)
def thanks() -> str:
    """Said to whoever has just told us; it knows nobody."""
    return render_template("family/died_thanks.html")


@blueprint.get("/someone-died/mistake")
@gate(Gate.PATIENT)
def are_you_here() -> str:
    """Shown at sign-in to who was reported dead."""
    return render_template("family/mistake.html")


@blueprint.post("/someone-died/mistake")
@gate(Gate.PATIENT)
@limited("someone-died-mistake", per_minute=10)
def mistake() -> AnyResponse:
    """Who signs in is alive: the report is a mistake, and texts come again."""
    actor, parts = current_actor(), wiring()
    assert actor.person is not None
    with own_session() as session:
        for one in waiting(session, parts.keyring, actor.persons):
            settle_report(
                session,
                one.id,
                Outcome.MISTAKEN,
                by=actor.kind.value,
                died_on=None,
                now=now(),
                account=actor.account_id,
            )
        disputed = dispute(session, actor.persons, now())
        for person in actor.persons if not disputed else ():
            speak_again(session, person)
    if disputed:
        flash(gettext("Thank you. Our staff look at it within 3 days and call you. Until then your choices stay."))
        return redirect(url_for("record.overview"), 303)
    flash(gettext("Thank you. We have put it right, and texts come again."))
    return redirect(url_for("record.overview"), 303)
