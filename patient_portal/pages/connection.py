"""The hospitals a person is connected to: see them, add one, share more, end one.

Ending one moves no other choice (X-01, X-02). Several hospitals are one person's only by that person's word.
"""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, make_response, redirect, render_template, request, session, url_for
from flask_babel import gettext
from sqlalchemy import select
from werkzeug.wrappers import Response as AnyResponse

from consent.audit import by_actor, write_audit
from database.context import as_persons
from fhir_bridge.connections import ACTIVE
from fhir_bridge.disconnect import connections_of, disconnect
from fhir_bridge.providers import Provider, provider_by_id
from fhir_bridge.smart.errors import ProviderUnavailable
from fhir_bridge.tables import Connection, WebSession
from fhir_bridge.what_is_shared import sharing
from patient_portal.choices.joining import would_end
from patient_portal.edge.security_headers import forms_go_to
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.signing_in.another_hospital import KEPT, Waiting, all_alike, join, names_kept, turn_away
from patient_portal.signing_in.hospital_patient import Named
from patient_portal.signing_in.smart import smart_client
from patient_portal.wiring import now, wiring
from vocabulary.errors import NotFound

blueprint = Blueprint("connection", __name__, url_prefix="/connection")


@blueprint.get("")
@gate(Gate.PATIENT)
def overview() -> str:
    """Each hospital this person is connected to, what is not shared there, and how many sign-ins are open."""
    actor = current_actor()
    assert actor.account_id is not None
    found = connections_of(wiring().database, actor.account_id, actor.persons)
    with wiring().database.begin(as_persons(account=actor.account_id)) as database:
        open_sessions = database.scalars(
            select(WebSession.seen_at)
            .where(WebSession.account_id == actor.account_id, WebSession.ended_at.is_(None))
            .order_by(WebSession.seen_at.desc())
        ).all()
    providers = {one.id: one for one in wiring().settings.providers}
    kept_back = {
        one.id: sharing(one.scope, providers[one.provider_id].scopes)
        for one in found
        if one.state == ACTIVE and one.provider_id in providers
    }
    return render_template(
        "connection/overview.html", connections=found, providers=providers, kept_back=kept_back, sessions=open_sessions
    )


@blueprint.get("/<uuid:connection_id>/shared")
@gate(Gate.PATIENT)
def shared(connection_id: UUID) -> str:
    """What is shared through one connection and what not, and how to share more or less (SMART-33, SMART-06)."""
    found = _own(connection_id)
    provider = _provider_of(found)
    forms_go_to(provider)
    return render_template(
        "connection/shared.html", connection=found, provider=provider, sharing=sharing(found.scope, provider.scopes),
        manage=_manage_link(provider) if found.state == ACTIVE else None,
    )  # fmt: skip


@blueprint.post("/<uuid:connection_id>/end")
@gate(Gate.PATIENT)
def end(connection_id: UUID) -> AnyResponse:
    """Disconnect: our tokens are gone at once, the hospital is told, the copy and every choice stay."""
    actor = current_actor()
    assert actor.account_id is not None
    found = _own(connection_id)
    confirmed = disconnect(
        wiring().database, wiring().keyring, smart_client(), _provider_of(found),
        account=actor.account_id, persons=actor.persons, connection=connection_id, now=now(),
    )  # fmt: skip
    with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as database:
        line = by_actor(
            actor, "record.disconnected", "D", person=found.person_id, detail={"provider": found.provider_id}
        )
        write_audit(database, now(), line)
    if confirmed:
        flash(gettext("You are disconnected. Your hospital confirmed it. Your copy and your choices stay as they are."))
    else:
        flash(
            gettext("You are disconnected here. Your hospital did not confirm, so check there too. Your copy stays."),
            "warning",
        )
    return redirect(url_for("connection.overview"), 303)


@blueprint.get("/add")
@gate(Gate.PATIENT)
def adding() -> AnyResponse:
    """They signed in at another hospital: is that record theirs too?"""
    return _ask_whether(Waiting.from_session(session.get(KEPT), now()), {})


@blueprint.post("/add")
@gate(Gate.PATIENT)
def add() -> AnyResponse:
    """Yes joins the two, no gives the new sign-in back. Two hospitals that name different people need a clear yes, and
    what would end has to have been on the page."""
    waiting, actor = Waiting.from_session(session.get(KEPT), now()), current_actor()
    name = wiring().provider(waiting.provider).name
    if request.form.get("answer") == "no":
        turn_away(wiring(), smart_client(), actor, waiting, now())
        session.pop(KEPT, None)
        flash(gettext("%(name)s was not added. We brought in nothing from there.", name=name))
        return redirect(url_for("connection.overview"), 303)
    if all_alike(_called_here(), waiting.named) is not True and request.form.get("sure") != "yes":
        words = gettext("Tick the box if both are you. If not, press “No, that is not me”.")
        return _ask_whether(waiting, {"sure": words}, 422)
    if request.form.get("ends", "") != would_end(wiring(), actor, waiting.person).mark:
        return _ask_whether(waiting, {}, sure=True)
    session["persons"] = [str(each) for each in join(wiring(), actor, waiting, now())]
    session.pop(KEPT, None)
    flash(gettext("%(name)s is added. We are bringing in your record from there.", name=name))
    return redirect(url_for("connection.overview"), 303)


def _ask_whether(waiting: Waiting, errors: dict[str, str], status: int = 200, *, sure: bool = False) -> AnyResponse:
    """What would end tells of choices: it is shown to who is, or says that they are, the person in both records."""
    mine = _called_here()
    alike = all_alike(mine, waiting.named)
    page = render_template(
        "connection/adding.html", waiting=waiting, provider=wiring().provider(waiting.provider), errors=errors,
        mine=mine, alike=alike, sure=sure,
        ending=would_end(wiring(), current_actor(), waiting.person) if alike or sure else None,
    )  # fmt: skip
    return make_response(page, status)


def _called_here() -> list[Named]:
    """What hospitals call the person: in the record as it came, else at this sign-in."""
    kept = names_kept(wiring(), current_actor().persons)
    return kept or [Named(*each) for each in [session.get("called")] if each]


def _own(connection_id: UUID) -> Connection:
    actor = current_actor()
    assert actor.account_id is not None
    for each in connections_of(wiring().database, actor.account_id, actor.persons):
        if each.id == connection_id:
            return each
    raise NotFound("connection")


def _provider_of(connection: Connection) -> Provider:
    found = provider_by_id(wiring().settings.providers, connection.provider_id)
    if found is None:
        raise NotFound("provider")
    return found


def _manage_link(provider: Provider) -> str | None:
    """The hospital's own page for what it shares with us; a hospital that does not answer has none for now."""
    try:
        return smart_client().configuration(provider, now()).management_endpoint
    except ProviderUnavailable:
        return None
