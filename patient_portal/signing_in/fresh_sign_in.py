"""When this browser signed in: changing a number asks for a sign-in that is fresh (SMS-02)."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import current_app, session
from sqlalchemy import select

from database.context import knowing
from fhir_bridge.tables import WebSession as Row
from patient_portal.signing_in.web_session import SessionStore, WebSession

FRESH = timedelta(minutes=15)


def is_fresh(now: datetime, within: timedelta = FRESH) -> bool:
    """Whether this session began, by a sign-in at the hospital, within the last quarter of an hour (or `within`)."""
    store, live = current_app.session_interface, session._get_current_object()  # type: ignore[attr-defined]  # behind Flask's proxy
    assert isinstance(store, SessionStore)
    assert isinstance(live, WebSession)
    if live.sid is None:
        return False
    index = store.index_of(live.sid)
    with store.database.begin(knowing(index)) as database:
        began = database.scalar(select(Row.created_at).where(Row.id_index == index, Row.ended_at.is_(None)))
    return began is not None and now - began < within
