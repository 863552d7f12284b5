"""Records of mine that I joined, and taking that back."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from database.context import as_persons
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.signing_in.parting import joined_records, part
from patient_portal.signing_in.web_session import live_session
from patient_portal.wiring import now, wiring
from vocabulary.errors import NotFound

blueprint = Blueprint("joined", __name__, url_prefix="/connection/joined")


@blueprint.get("")
@gate(Gate.PATIENT)
def overview() -> str:
    """Which records are joined, and what parting them would mean."""
    actor, settings = current_actor(), wiring().settings
    names = {provider.id: provider.name for provider in settings.providers}
    with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as database:
        records = joined_records(database, actor, names)
    return render_template(
        "connection/joined.html", records=records, here=names.get(actor.provider_id or "", actor.provider_id or "")
    )


@blueprint.post("")
@gate(Gate.PATIENT)
@limited("decide", per_minute=30)
def take_back() -> AnyResponse:
    """Part one record from the others. This browser stays signed in for the record it signed in for."""
    try:
        other = UUID(request.form.get("record", ""))
    except ValueError:
        raise NotFound("person") from None
    live = live_session()
    live["persons"] = [str(each) for each in part(wiring(), current_actor(), other, now())]
    live.renew()  # the old id ended with all the others
    flash(gettext("The records are separate again. Everywhere else you are signed out."))
    return redirect(url_for("joined.overview"), 303)
