"""Staying signed in: a page warns before its session ends for want of use, and one press goes on (SEC-02, WCAG 2.2.1).

What was typed stays where it is: the page asks in the background, and only when it gets no yes does it empty itself.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, session

from patient_portal.gates import Gate, gate
from patient_portal.signing_in.web_session import TOUCH_EVERY, idle_limit

blueprint = Blueprint("stay", __name__)
WARN_SECONDS = 120


@blueprint.post("/stay")
@gate(Gate.PUBLIC)
def on() -> Response:
    """Being asked keeps a session; one that is over has no form token that fits, and is refused before this."""
    return Response(status=204)


@blueprint.app_context_processor
def rest() -> dict[str, Any]:
    """How long a page may lie still, a little less than its session, and how long before that it warns, in seconds."""
    longest = idle_limit(dict(session)) - TOUCH_EVERY
    return {"rest_seconds": int(longest.total_seconds()), "warn_seconds": WARN_SECONDS}
