"""The hospital connection and the sign-ins: see them, end them. Ending one moves no other choice (X-01, X-02)."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext
from sqlalchemy import select
from werkzeug.wrappers import Response as AnyResponse

from consent.audit import by_actor, write_audit
from database.context import as_persons
from fhir_bridge.disconnect import connections_of, disconnect
from fhir_bridge.tables import WebSession
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.smart import smart_client
from patient_portal.wiring import now, wiring
from vocabulary.errors import NotFound

blueprint = Blueprint("connection", __name__, url_prefix="/connection")


@blueprint.get("")
@gate(Gate.PATIENT)
def overview() -> str:
    """Each hospital this account is connected to, and how many sign-ins are open."""
    actor = current_actor()
    assert actor.account_id is not None
    found = connections_of(wiring().database, actor.account_id, actor.persons)
    with wiring().database.begin(as_persons(account=actor.account_id)) as session:
        open_sessions = session.scalars(
            select(WebSession.seen_at)
            .where(WebSession.account_id == actor.account_id, WebSession.ended_at.is_(None))
            .order_by(WebSession.seen_at.desc())
        ).all()
    names = {provider.id: provider.name for provider in wiring().settings.providers}
    return render_template("connection/overview.html", connections=found, names=names, sessions=open_sessions)


@blueprint.post("/<uuid:connection_id>/end")
@gate(Gate.PATIENT)
def end(connection_id: UUID) -> AnyResponse:
    """Disconnect: our tokens are gone at once, the hospital is told, the copy and every choice stay."""
    actor = current_actor()
    assert actor.account_id is not None
    mine = {each.id: each for each in connections_of(wiring().database, actor.account_id, actor.persons)}
    if connection_id not in mine:
        raise NotFound("connection")
    found = mine[connection_id]
    confirmed = disconnect(
        wiring().database, wiring().keyring, smart_client(), wiring().provider(found.provider_id),
        account=actor.account_id, person=found.person_id, connection=connection_id, now=now(),
    )  # fmt: skip
    with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as session:
        line = by_actor(
            actor, "record.disconnected", "D", person=found.person_id, detail={"provider": found.provider_id}
        )
        write_audit(session, now(), line)
    if confirmed:
        flash(gettext("You are disconnected. Your hospital confirmed it. Your copy and your choices stay as they are."))
    else:
        flash(
            gettext("You are disconnected here. Your hospital did not confirm, so check there too. Your copy stays."),
            "warning",
        )
    return redirect(url_for("connection.overview"), 303)
