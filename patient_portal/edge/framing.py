"""Opening inside the chart's own frame, where a hospital's chart does that (SMART-23).

Only what the care team opens from a chart may be framed, only by the origins that the hospital named, and only such a
session's cookie is one that browsers send inside another site's frame (ASVS V3.4.6).
"""

from __future__ import annotations

from flask import Flask, g, request, session

from fhir_bridge.providers import Provider, provider_by_id
from patient_portal.wiring import wiring

FRAMED = "framed"
ENDPOINTS = frozenset({"sign_in.launch", "sign_in.callback"})
BLUEPRINTS = frozenset({"care_team", "care_team_void", "care_team_letters"})


def frame_for(provider: Provider) -> None:
    """A launch from the chart of `provider` began: in its frame when it has one, else never in a frame."""
    session.pop(FRAMED, None)
    if provider.frame_origins:
        session[FRAMED] = provider.id
        g.frame_ancestors = provider.frame_origins


def allow_frames(app: Flask) -> None:
    """Install the hook that names who may frame this answer."""

    @app.before_request
    def name_ancestors() -> None:
        framed = session.get(FRAMED)
        if framed and (request.endpoint in ENDPOINTS or request.blueprint in BLUEPRINTS):
            provider = provider_by_id(wiring().settings.providers, str(framed))
            g.frame_ancestors = provider.frame_origins if provider else ()
