"""What takes two persons: asked for by one, allowed or refused by another."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, make_response, redirect, render_template, request, session, url_for
from flask_babel import gettext, ngettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from database.context import as_staff
from database.jobs import defer
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.jobs import tell_store_again
from patient_portal.pages.staff import account_of, options_of, store_names, wanted_of
from patient_portal.staff import cases, two_persons
from patient_portal.staff.members import logins_of, names_of
from patient_portal.staff.two_persons import CLOSE_MANY, ROTATE_KEY, TELL_AGAIN, Request
from patient_portal.wiring import now, wiring
from vocabulary.errors import Invalid, Refused
from vocabulary.phrase import Phrase, phrase

blueprint = Blueprint("staff_two", __name__, url_prefix="/staff/requests")
PURPOSES: dict[str, Phrase] = {
    "key-encryption": phrase("It seals records and small values"),
    "client-signing": phrase("It signs in to hospitals"),
    "head-signing": phrase("It signs the ledger"),
    "store-receipts": phrase("It proves receipts"),
}


@blueprint.get("")
@gate(Gate.STAFF)
def overview() -> str:
    """What waits for a second person, and what was decided."""
    return _page({}, {})


@blueprint.post("")
@gate(Gate.STAFF)
@limited("staff-request", per_minute=10)
def ask() -> AnyResponse:
    """Ask for something; nothing is done yet."""
    actor, form = current_actor(), request.form
    if form.get("do") not in (CLOSE_MANY, TELL_AGAIN, ROTATE_KEY):
        raise Invalid("do")
    try:
        if form.get("do") == CLOSE_MANY:
            many = two_persons.ask_to_close(
                wiring(), actor, wanted_of(form), form.get("outcome", ""), form.get("why", ""), now()
            )
            flash(ngettext("%(num)s case waits for a second person.", "%(num)s cases wait for a second person.", many))
        elif form.get("do") == TELL_AGAIN:
            two_persons.ask_to_tell_again(wiring(), actor, form.get("store", ""), form.get("why", ""), now())
            flash(gettext("This waits for a second person."))
        else:
            two_persons.ask_to_rotate(wiring(), actor, form.get("purpose", ""), form.get("why", ""), now())
            flash(gettext("This waits for a second person."))
    except Invalid as error:
        return make_response(_page(dict(form), error.fields), 422)
    return redirect(url_for("staff_two.overview"), 303)


@blueprint.post("/<uuid:asked>")
@gate(Gate.STAFF)
@limited("staff-decide", per_minute=30)
def decide(asked: UUID) -> AnyResponse:
    """Allow or refuse what a colleague asked for."""
    answer = request.form.get("answer", "")
    if answer not in ("yes", "no"):
        raise Invalid("answer")
    name = str(session.get("name", ""))
    try:
        two_persons.decide(
            wiring(), current_actor(), name, asked, allow=answer == "yes", now=now(), then=_tell_again_soon
        )
    except Refused:
        flash(gettext("You asked for this yourself. A colleague has to decide."), "warning")
        return redirect(url_for("staff_two.overview"), 303)
    flash(gettext("Your answer is kept."))
    return redirect(url_for("staff_two.overview"), 303)


def _tell_again_soon(database: Session, found: Request) -> None:
    """A worker does it: a store may have a million events to be told of."""
    defer(database, tell_store_again, lock=f"tell-again:{found.store_id}", request=str(found.id))


def _page(typed: dict[str, str], wrong: dict[str, str]) -> str:
    actor = current_actor()
    with wiring().database.begin(as_staff(actor.practices, account_of(actor))) as database:
        found = two_persons.read_requests(database, wiring().keyring)
        people = names_of(database, {each for one in found for each in (one.by, one.decided_by)})
        mine = logins_of(database, account_of(actor))
    return render_template(
        "staff/requests.html", requests=found, people=people, mine=mine, outcomes=cases.OUTCOMES,
        kind_options=options_of(cases.KINDS), outcome_options=options_of(cases.OUTCOMES), stores=store_names(),
        typed=typed, purposes=options_of(PURPOSES), purpose_words=PURPOSES,
        told=[(store.id, store.name) for store in wiring().settings.stores if store.is_told],
        errors={name: _words(name, code) for name, code in wrong.items()},
    )  # fmt: skip


def _words(name: str, code: str) -> str:
    words: dict[tuple[str, str], str] = {
        ("why", "missing"): gettext("Say in a few words why."),
        ("why", "too-long"): gettext("Make this shorter: at most 500 characters."),
        ("outcome", "missing"): gettext("Choose how they ended."),
        ("kind", "missing"): gettext("Choose one kind of case."),
        ("kind", "one-by-one"): gettext("Cases of this kind are looked at one by one."),
        ("kind", "none"): gettext("There is no such open case that nobody else works on."),
        ("store", "missing"): gettext("Choose a store."),
        ("purpose", "missing"): gettext("Choose what the key is for."),
    }
    return words[name, code]
