"""For representatives: who they are to the person, on what paper, and what they may do (HIP-15)."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from flask import Blueprint, flash, make_response, redirect, render_template, request, session, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from consent.authority.majority import of_age_on
from consent.authority.rules import Relation, Step
from consent.authority.stated import Statement, check_words, named, settle, state_authority, statements_of
from database.context import as_persons
from fhir_bridge.reading.dates import read_date
from patient_portal.choices.choosing import new_form
from patient_portal.edge.page_context import say
from patient_portal.edge.rate_limits import limited
from patient_portal.family.standing import may_of, may_of_request
from patient_portal.family.words import PROBLEMS, RELATIONS, STEPS, WHY
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.wiring import now, today_here, wiring
from vocabulary.errors import Invalid

blueprint = Blueprint("acting", __name__, url_prefix="/acting")


@blueprint.get("")
@gate(Gate.PROXY)
def overview() -> str:
    """What stands, and the form for a statement."""
    return _page({}, {})


@blueprint.post("")
@gate(Gate.PROXY)
@limited("authority", per_minute=10)
def state() -> AnyResponse:
    """Keep the statement; staff look at the paper. Reading, and saying no, are open from now on, but for who was turned
    away before."""
    actor, parts, moment = current_actor(), wiring(), now()
    try:
        statement = _statement(today_here())
        with parts.database.begin(as_persons(*actor.persons, account=actor.account_id)) as database:
            state_authority(database, parts.keyring, actor, statement, moment, today=today_here())
        _, may = may_of(parts, actor, today_here())
    except Invalid as error:
        return make_response(_page(error.fields, dict(request.form)), 422)
    if may.read:
        flash(gettext("Thank you. Your words are kept. You can read the record now, and say no for this person."))
    else:
        flash(gettext("Thank you. Your words are kept."))
    return redirect(url_for("acting.overview"), 303)


@blueprint.post("/<uuid:authority>/end")
@gate(Gate.PROXY)
@limited("family-end", per_minute=30)
def end(authority: UUID) -> AnyResponse:
    """A representative lays it down."""
    actor, parts = current_actor(), wiring()
    assert actor.person is not None
    with parts.database.begin(as_persons(*actor.persons, account=actor.account_id)) as database:
        mine = statements_of(database, parts.keyring, actor.persons, actor.account_id)
        found = named(mine, authority).authority
        settle(database, found.id, actor.person, Step.ENDED, by=actor, reason=None, now=now())
    flash(gettext("You no longer act for this person on that paper."))
    return redirect(url_for("acting.overview"), 303)


def _statement(begins_on: date) -> Statement:
    """What the form says; Invalid names at once everything that is missing or cannot be read."""
    form = request.form
    name, document, reach = (form.get(each, "") for each in ("name", "document", "reach"))
    relation = next((one for one in Relation if one.value == form.get("relation")), None)
    ends = form.get("ends_on", "").strip()
    try:
        ends_on, unreadable = date.fromisoformat(ends) if ends else None, {}
    except ValueError:
        ends_on, unreadable = None, {"ends_on": "unreadable"}
    if relation is None or unreadable:
        missing = {"relation": "missing"} if relation is None else {}
        raise Invalid("statement", missing | check_words(name, document, reach) | unreadable)
    key = form.get("form", "")
    if not 8 <= len(key) <= 64:
        raise Invalid("form")
    return Statement(relation, name, document, begins_on, ends_on, _of_age_on(), key, reach)


def _of_age_on() -> date | None:
    """By the birth date that the hospital gave at sign-in, and the hospital's own state."""
    called = session.get("called")
    born = read_date(str(called[1])) if isinstance(called, list) and len(called) == 2 else None
    states = {one.state for one in wiring().settings.providers if one.id == current_actor().provider_id}
    known = born.value if born is not None else None  # of a year alone the first day: in doubt of age sooner
    day = known.date() if isinstance(known, datetime) else known
    return of_age_on(day, {state for state in states if state})


def _page(errors: dict[str, str], given: dict[str, str]) -> str:
    actor, parts = current_actor(), wiring()
    with parts.database.begin(as_persons(*actor.persons, account=actor.account_id)) as database:
        stated = statements_of(database, parts.keyring, actor.persons, actor.account_id)
    may = may_of_request()
    words = {name: str(say(PROBLEMS.get((name, code), PROBLEMS["", ""]))) for name, code in errors.items()}
    return render_template(
        "family/acting.html", may=may, why=WHY.get(may.why) if may.why else None, stated=stated, errors=words,
        given=given, relations=[(one.value, say(said)) for one, said in RELATIONS.items()], steps=STEPS,
        names=RELATIONS, form=given.get("form") or new_form(), ended=Step.ENDED,
        waits=any(one.authority.steps[-1] is Step.STATED for one in stated),
    )  # fmt: skip
