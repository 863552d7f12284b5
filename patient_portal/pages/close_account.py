"""Delete my copy and close my account: says what goes and what stays, and asks once."""

from __future__ import annotations

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from patient_portal.edge.page_context import language_code
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.in_touch.opt_in_words import agreement_by_web
from patient_portal.signing_in.fresh_sign_in import is_fresh
from patient_portal.taking_away.closing import close_account
from patient_portal.wiring import now, wiring

blueprint = Blueprint("close_account", __name__)


@blueprint.get("/account/close")
@gate(Gate.PATIENT)
def ask() -> str:
    """What would be deleted and what would stay."""
    return render_template("record/close.html", errors={})


@blueprint.post("/account/close")
@gate(Gate.PATIENT)
@limited("close-account", per_minute=6)
def close() -> AnyResponse:
    """Do it: the box was ticked and the sign-in is fresh, since nothing brings the copy back but the hospital."""
    if request.form.get("sure") != "yes":
        words = gettext("Tick the box if you want this. If not, press “Not now”.")
        return make_response(render_template("record/close.html", errors={"sure": words}), 422)
    if not is_fresh(now()):
        flash(gettext("To close your account, sign in once more. This keeps others from doing it."))
        return redirect(url_for("sign_in.choose", next=url_for("close_account.ask")), 303)
    agreed = agreement_by_web(gettext("Delete my copy and close my account"), language_code(), ticked=False)
    close_account(wiring(), current_actor(), agreed, now())
    response = redirect(url_for("close_account.done"), 303)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@blueprint.get("/account/closed")
@gate(Gate.PUBLIC)
def done() -> str:
    """Said to whoever has just closed their account; it knows nobody."""
    return render_template("record/closed.html")
