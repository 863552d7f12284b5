"""Every route has a gate, and the gate asks before the view does (SEC-08)."""

from __future__ import annotations

from itertools import product

import pytest
from flask import Flask, g

from patient_portal.gates import OPEN_TO_ALL, PASSES, Gate, current_actor, gate, refuse_undeclared, stand_at_the_gate
from vocabulary.actor import ANONYMOUS, Actor, ActorKind
from vocabulary.errors import Refused

EXPECTED = {
    # gate: who passes; everybody else is refused, and who is nobody is asked to sign in
    Gate.PUBLIC: set(ActorKind),
    Gate.SIGNATURE: set(ActorKind),
    Gate.INTERNAL: set(ActorKind),
    Gate.SIGNED_IN: {ActorKind.PATIENT, ActorKind.PROXY, ActorKind.CARE_TEAM},
    Gate.PATIENT: {ActorKind.PATIENT},
    Gate.FOR_PERSON: {ActorKind.PATIENT, ActorKind.PROXY},
    Gate.READS: {ActorKind.PATIENT, ActorKind.PROXY, ActorKind.HELPER},
    Gate.PROXY: {ActorKind.PROXY},
    Gate.HELPER: {ActorKind.HELPER},
    Gate.CARE_TEAM: {ActorKind.CARE_TEAM},
    Gate.STAFF: {ActorKind.STAFF, ActorKind.LEAD},
    Gate.LEAD: {ActorKind.LEAD},
}


def house(kind: Gate | None, actor: ActorKind = ActorKind.ANONYMOUS) -> Flask:
    """An application with one guarded room."""
    app = Flask(__name__)

    @app.before_request
    def arrive() -> None:
        g.actor = ANONYMOUS if actor is ActorKind.ANONYMOUS else Actor(actor)

    stand_at_the_gate(app)

    def room() -> str:
        return current_actor().kind.value

    def sign_in() -> str:
        return "sign in"

    app.add_url_rule("/room", "room", gate(kind)(room) if kind else room)
    app.add_url_rule("/sign-in", "sign_in.choose", gate(Gate.PUBLIC)(sign_in))
    app.add_url_rule("/care-team/sign-in", "care_team_panel.choose", gate(Gate.PUBLIC)(sign_in))
    app.add_url_rule("/staff/sign-in", "staff_sign_in.choose", gate(Gate.PUBLIC)(sign_in))

    @app.errorhandler(Refused)
    def refused(error: Refused) -> tuple[str, int]:
        return error.reason, 403

    return app


def test_the_table_names_every_gate() -> None:
    """SEC-08: a new gate needs a line above, and one in the product."""
    assert set(EXPECTED) == set(Gate)
    assert OPEN_TO_ALL | set(PASSES) == set(Gate)
    assert not OPEN_TO_ALL & set(PASSES)


@pytest.mark.parametrize(("kind", "actor"), list(product(Gate, ActorKind)))
def test_who_passes_which_gate(kind: Gate, actor: ActorKind) -> None:
    """SEC-08: 200, a way to sign in, or 403; for every gate and kind of actor."""
    answer = house(kind, actor).test_client().get("/room?a=b")
    if actor in EXPECTED[kind]:
        assert (answer.status_code, answer.text) == (200, actor.value)
    elif actor is ActorKind.ANONYMOUS:
        doors = {Gate.STAFF: "/staff/sign-in", Gate.LEAD: "/staff/sign-in", Gate.CARE_TEAM: "/care-team/sign-in"}
        door = doors.get(kind, "/sign-in")
        assert (answer.status_code, answer.headers["Location"]) == (303, f"{door}?next=/room?a%3Db")
    else:
        assert (answer.status_code, answer.text) == (403, "wrong-kind-of-actor")


def test_a_route_without_a_gate_keeps_the_service_from_starting() -> None:
    """SEC-08: and the message names it; Flask's own route for files needs none."""
    with pytest.raises(RuntimeError, match="routes without a gate: room"):
        refuse_undeclared(house(None))
    refuse_undeclared(house(Gate.PUBLIC))


def test_without_a_gate_nobody_passes() -> None:
    """SEC-08: should it start all the same, the answer is no."""
    for actor in ActorKind:
        status = house(None, actor).test_client().get("/room").status_code
        assert status == (303 if actor is ActorKind.ANONYMOUS else 403)


def test_nobody_is_the_actor_until_somebody_is_known() -> None:
    """SEC-08: a request whose session was never read acts for nobody."""
    with Flask(__name__).test_request_context():
        assert current_actor() is ANONYMOUS
        assert not current_actor().signed_in
