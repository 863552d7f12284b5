"""Every route says who may pass, and one hook asks; a route without a gate keeps the service from starting.

The gate decides on the kind of actor only. Whether an object is the actor's own is decided where the object is
loaded, by its owner and by PostgreSQL's row security, and answers 404 whether it exists or not (SEC-08).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from flask import Flask, g, redirect, request, url_for
from werkzeug.wrappers import Response

from patient_portal.wiring import wiring
from vocabulary.actor import ANONYMOUS, Actor, ActorKind
from vocabulary.errors import Refused

View = TypeVar("View", bound=Callable[..., Any])


class Gate(StrEnum):
    """Who may pass. `SIGNATURE` routes check the sender's signature themselves before they read anything.

    `PATIENT` is the person alone; `FOR_PERSON` also who acts for them by law; `READS` also a helper they invited, who
    reads and fills in. What a representative may do beyond reading is asked where it is done (`family/on_behalf.py`).
    """

    PUBLIC = "public"
    SIGNED_IN = "signed-in"
    PATIENT = "patient"
    FOR_PERSON = "for-person"
    READS = "reads"
    PROXY = "proxy"
    HELPER = "helper"
    CARE_TEAM = "care-team"
    STAFF = "staff"
    LEAD = "lead"
    SIGNATURE = "signature"
    INTERNAL = "internal"


PASSES: dict[Gate, frozenset[ActorKind]] = {
    Gate.SIGNED_IN: frozenset({ActorKind.PATIENT, ActorKind.PROXY, ActorKind.CARE_TEAM}),
    Gate.PATIENT: frozenset({ActorKind.PATIENT}),
    Gate.FOR_PERSON: frozenset({ActorKind.PATIENT, ActorKind.PROXY}),
    Gate.READS: frozenset({ActorKind.PATIENT, ActorKind.PROXY, ActorKind.HELPER}),
    Gate.PROXY: frozenset({ActorKind.PROXY}),
    Gate.HELPER: frozenset({ActorKind.HELPER}),
    Gate.CARE_TEAM: frozenset({ActorKind.CARE_TEAM}),
    Gate.STAFF: frozenset({ActorKind.STAFF, ActorKind.LEAD}),
    Gate.LEAD: frozenset({ActorKind.LEAD}),
}
OPEN_TO_ALL = frozenset({Gate.PUBLIC, Gate.SIGNATURE, Gate.INTERNAL})
# Where somebody who is not signed in is sent; everybody else signs in at a hospital.
SIGN_IN_OF: dict[Gate, str] = {
    Gate.STAFF: "staff_sign_in.choose",
    Gate.LEAD: "staff_sign_in.choose",
    Gate.CARE_TEAM: "care_team_panel.choose",
}


def gate(kind: Gate) -> Callable[[View], View]:
    """Declare a view's gate; stands directly under the route."""

    def declare(view: View) -> View:
        view.gate = kind  # type: ignore[attr-defined]  # a mark on the function itself
        return view

    return declare


def gate_of(app: Flask, endpoint: str) -> Gate | None:
    """The declared gate of an endpoint; Flask's own file route is public."""
    if endpoint == "static" or endpoint.endswith(".static"):
        return Gate.PUBLIC
    return getattr(app.view_functions[endpoint], "gate", None)


def current_actor() -> Actor:
    """The actor of this request, resolved once from the session."""
    actor = g.get("actor", ANONYMOUS)
    assert isinstance(actor, Actor)
    return actor


def is_sent_by_another_site() -> bool:
    """Whether a browser says that a page of somebody else's sent this form (threats.md abuse case 9).

    Asked beside the form token, never in its place: older browsers say nothing, and our own referrer policy makes
    `Origin` a mere `null` on our own forms.
    """
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return False
    origin = request.headers.get("Origin", "null")
    if origin != "null" and origin not in {request.host_url.rstrip("/"), wiring().settings.base_url}:
        return True
    return request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}


def refuse_undeclared(app: Flask) -> None:
    """Raise when a route has no gate: called last, when every blueprint is in."""
    missing = sorted({rule.endpoint for rule in app.url_map.iter_rules() if gate_of(app, rule.endpoint) is None})
    if missing:
        raise RuntimeError(f"routes without a gate: {', '.join(missing)}")


def stand_at_the_gate(app: Flask) -> None:
    """Install the hook that asks before any view runs."""

    @app.before_request
    def ask() -> Response | None:
        if request.endpoint is None:
            return None
        wanted = gate_of(app, request.endpoint)
        if wanted is not Gate.SIGNATURE and is_sent_by_another_site():
            raise Refused("another-site")
        if wanted in OPEN_TO_ALL:
            return None
        actor = current_actor()
        if wanted is not None and actor.kind in PASSES[wanted]:
            return None
        if not actor.signed_in:
            after = request.full_path.rstrip("?") if request.method in {"GET", "HEAD"} else ""
            door = SIGN_IN_OF.get(wanted, "sign_in.choose") if wanted is not None else "sign_in.choose"
            return redirect(url_for(door, next=after) if after else url_for(door), 303)
        raise Refused("wrong-kind-of-actor")
