"""Whoever acts for somebody else is asked at each request whether they still may (HIP-15, abuse case 11).

A session lasts hours; an authority or an invitation that ends, ends now.
"""

from __future__ import annotations

from datetime import date

from flask import Flask, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from consent.authority.helping import still_works
from consent.authority.rules import Authority, May, Why
from consent.authority.stated import may_now
from consent.person_identity import linked_persons
from database.context import as_persons
from patient_portal.family.words import WHY
from patient_portal.gates import OPEN_TO_ALL, Gate, current_actor, gate_of
from patient_portal.signing_in.web_session import live_session
from patient_portal.wiring import Wiring, now, today_here, wiring
from vocabulary.actor import ANONYMOUS, Actor, ActorKind
from vocabulary.phrase import Phrase


def watch_standing(app: Flask) -> None:
    """Install the hook; it stands between the one that finds the actor and the gate. Templates know `own_care`."""

    @app.context_processor
    def say_what_is_apart() -> dict[str, bool]:
        return {"own_care": may_of_request().own_care}

    @app.before_request
    def watch() -> Response | None:
        kind = current_actor().kind
        if kind not in (ActorKind.PROXY, ActorKind.HELPER) or request.endpoint is None:
            return None
        return _watch_proxy(app) if kind is ActorKind.PROXY else _watch_helper()


def may_of_request() -> May:
    """What the representative of this request may do."""
    found = g.get("may", May())
    assert isinstance(found, May)
    return found


def waits_for(actor: Actor) -> Phrase | None:
    """Why a representative cannot sign today, in words; None when they can, and for anyone else."""
    found = may_of_request()
    if actor.kind is not ActorKind.PROXY or found.sign:
        return None
    return WHY[found.why or Why.NOT_STATED]


def may_of(parts: Wiring, actor: Actor, today: date) -> tuple[Authority | None, May]:
    """What a representative may do on a day, and on which statement; with whom was turned away from joined records."""
    assert actor.person is not None
    assert actor.account_id is not None
    everyone = linked_persons(parts.database, actor.person)
    with parts.database.begin(as_persons(*everyone, account=actor.account_id)) as database:
        return may_now(database, parts.keyring, actor.person, actor.account_id, today, everyone=everyone)


def _watch_proxy(app: Flask) -> Response | None:
    actor = current_actor()
    assert actor.person is not None
    assert actor.account_id is not None
    _, g.may = may_of(wiring(), actor, today_here())
    wanted = gate_of(app, request.endpoint or "")
    if g.may.read or wanted in OPEN_TO_ALL or wanted is Gate.PROXY:
        return None
    return redirect(url_for("acting.overview"), 303)


def _watch_helper() -> Response | None:
    actor = current_actor()
    assert actor.account_id is not None
    with wiring().database.begin(as_persons(*actor.persons)) as database:
        if still_works(database, actor.account_id, now()):
            return None
    live_session().end()
    g.actor = ANONYMOUS
    return make_response(render_template("family/ended.html"), 403)
