"""Who may see or act for me: representatives, and helpers whom I invite and end (HIP-15, threats.md abuse case 11)."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, make_response, redirect, render_template, request, session, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from consent.authority.helping import (
    LASTS,
    Came,
    Invitation,
    WrongPasscode,
    come,
    end,
    fill_in,
    helpers_of,
    invite,
)
from consent.authority.rules import Step
from consent.authority.stated import named, settle, statements_of
from database.context import as_persons
from notifications.preferences import own_zone
from patient_portal.choices.choosing import choices_of, effort_or_not_found, new_form
from patient_portal.edge.page_context import say
from patient_portal.edge.rate_limits import limited
from patient_portal.edge.times import IN_SESSION
from patient_portal.family.words import PROBLEMS, SHORT, STEPS
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.pages.own_record import own_session
from patient_portal.signing_in.fresh_sign_in import is_fresh
from patient_portal.signing_in.web_session import live_session
from patient_portal.wiring import now, wiring
from vocabulary.actor import ActorKind
from vocabulary.errors import Invalid, NotFound
from vocabulary.phrase import Phrase, phrase

blueprint = Blueprint("family", __name__)

_LASTS: dict[str, Phrase] = {"week": phrase("1 week"), "month": phrase("1 month"), "quarter": phrase("3 months")}
_CLOSED = phrase("This link does not work any more. Ask the person you help for a new one.")


@blueprint.get("/family")
@gate(Gate.PATIENT)
def overview() -> str:
    """Everybody who may see or act, and a form to invite a helper."""
    return _page({}, {})


@blueprint.post("/family/helpers")
@gate(Gate.PATIENT)
@limited("helper", per_minute=6)
def invite_helper() -> AnyResponse:
    """Make a link and a passcode; both are shown this once."""
    if not is_fresh(now()):
        flash(gettext("To let somebody see your record, sign in once more. This keeps others from doing it."))
        return redirect(url_for("sign_in.choose", next=url_for("family.overview")), 303)
    try:
        with own_session() as database:
            made = invite(
                database, wiring().keyring, current_actor(), request.form.get("name", ""),
                request.form.get("lasts", ""), now(), form=request.form.get("form", "")[:64],
            )  # fmt: skip
    except Invalid as error:
        return make_response(_page(error.fields, dict(request.form)), 422)
    return make_response(_page({}, {}, invitation=made), 200, {"Cache-Control": "no-store"})


@blueprint.post("/family/helpers/<uuid:helper>/end")
@gate(Gate.PATIENT)
@limited("family-end", per_minute=30)
def end_helper(helper: UUID) -> AnyResponse:
    """They see nothing from now on."""
    with own_session() as database:
        end(database, current_actor(), helper, now())
    flash(gettext("They can no longer see your record."))
    return redirect(url_for("family.overview"), 303)


@blueprint.post("/family/representatives/<uuid:authority>/end")
@gate(Gate.PATIENT)
@limited("family-end", per_minute=30)
def end_representative(authority: UUID) -> AnyResponse:
    """An adult says that somebody does not act for them."""
    actor = current_actor()
    with own_session() as database:
        found = named(statements_of(database, wiring().keyring, actor.persons), authority).authority
        settle(database, found.id, found.person, Step.ENDED, by=actor, reason=None, now=now())
    flash(gettext("They no longer act for you here."))
    return redirect(url_for("family.overview"), 303)


@blueprint.get("/helping/<token>")
@gate(Gate.PUBLIC)
def door(token: str) -> str:
    """The passcode, please; every link answers alike, whether there is such a one or not."""
    return render_template("family/door.html", token=token, errors={})


@blueprint.post("/helping/<token>")
@gate(Gate.PUBLIC)
@limited("helping", per_minute=10)
def enter(token: str) -> AnyResponse:
    """A visit begins, with a new session that reaches this one person."""
    parts = wiring()
    try:
        came = come(parts.database, parts.keyring, token, request.form.get("passcode", ""), now())
    except (NotFound, WrongPasscode) as error:
        words = PROBLEMS["passcode", "wrong"] if isinstance(error, WrongPasscode) and error.remaining else _CLOSED
        page = render_template("family/door.html", token=token, errors={"passcode": str(say(words))})
        return make_response(page, 422)
    kept = {name: session[name] for name in ("language",) if name in session}
    session.clear()
    with parts.database.begin(as_persons(came.person)) as database:
        zone = own_zone(database, came.person)
    session.update(kept | _session_of(came) | {IN_SESSION: zone})
    live_session().renew()
    return redirect(url_for("record.overview"), 303)


@blueprint.post("/choices/efforts/<effort_id>/fill-in")
@gate(Gate.HELPER)
@limited("fill-in", per_minute=20)
def fill_in_form(effort_id: str) -> AnyResponse:
    """Keep what a helper ticked, for the person to look at; nothing is decided and nothing is signed by it."""
    effort = effort_or_not_found(choices_of(wiring(), current_actor()), effort_id)
    offered = {each.value for each in effort.offers}
    # The very private kinds are the person's own to switch on: nobody else ticks them (decisions.md, Data at rest).
    ticked: dict[str, list[str]] = {
        "categories": sorted(offered.intersection(request.form.getlist("categories"))),
    }
    with own_session() as database:
        fill_in(database, wiring().keyring, current_actor(), effort.id, ticked, now())
    flash(gettext("Kept. They see it when they open this page, and they decide."))
    return redirect(url_for("choices.effort", effort_id=effort.id), 303)


def _session_of(came: Came) -> dict[str, object]:
    person = str(came.person)
    return {
        "kind": ActorKind.HELPER.value, "account": str(came.helper), "person": person, "persons": [person],
        "name": came.name,
    }  # fmt: skip


def _page(errors: dict[str, str], given: dict[str, str], *, invitation: Invitation | None = None) -> str:
    actor, parts, moment = current_actor(), wiring(), now()
    with own_session() as database:
        helpers = helpers_of(database, parts.keyring, actor.persons)
        stated = statements_of(database, parts.keyring, actor.persons)
    link = parts.settings.base_url + url_for("family.door", token=invitation.token) if invitation else ""
    words = {name: str(say(PROBLEMS.get((name, code), PROBLEMS["", ""]))) for name, code in errors.items()}
    return render_template(
        "family/overview.html", helpers=[(one, one.works(moment)) for one in helpers], stated=stated, short=SHORT,
        steps=STEPS, over=(Step.ENDED, Step.REFUSED), errors=words, given=given, link=link,
        passcode=invitation.passcode if invitation else "", lasts=[(name, say(_LASTS[name])) for name in LASTS],
        form=given.get("form") or new_form(),
    )  # fmt: skip
