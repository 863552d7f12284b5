"""Is the process alive, is the service ready, and what does it count: `/healthz`, `/readyz`, `/metrics`."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text

from database.context import as_nobody
from database.heartbeat import kinds_at_work
from database.migrate import newest_revision
from patient_portal.gates import Gate, gate
from patient_portal.operating import metrics
from patient_portal.operating.operator_reading import NEEDED_PROCESSES, read_standing
from patient_portal.wiring import now, wiring
from vocabulary.errors import NotFound, Unavailable

blueprint = Blueprint("health", __name__)


def internal_only() -> None:
    """With `PORTAL_INTERNAL_BIND` set these pages answer on that address only (decisions, Outside world).

    The port is the one that was connected to, whatever a proxy's headers say it was.
    """
    bind = wiring().settings.internal_bind
    reached = request.environ.get("werkzeug.proxy_fix.orig", {}).get("SERVER_PORT", request.environ["SERVER_PORT"])
    if bind and reached != bind.rpartition(":")[2]:
        raise NotFound("internal")


@blueprint.get("/healthz")
@gate(Gate.INTERNAL)
def healthz() -> Response:
    """The process answers; it asks nothing else, so that a slow database does not get it killed."""
    return jsonify({"status": "ok"})


@blueprint.get("/readyz")
@gate(Gate.INTERNAL)
def readyz() -> tuple[Response, int]:
    """Ready when the database answers, is at this code's revision, and a worker and a feed are at work."""
    internal_only()
    checks = _checks()
    ready = all(value == "ok" for value in checks.values())
    return jsonify({"status": "ok" if ready else "not ready", "checks": checks}), 200 if ready else 503


def _checks() -> dict[str, Any]:
    try:
        with wiring().database.begin(as_nobody()) as session:
            revision = session.scalar(text("SELECT version_num FROM alembic_version"))
            working = kinds_at_work(session, now())
    except Unavailable:
        return {"database": "does not answer"}
    checks = {"database": "ok", "migrations": "ok" if revision == newest_revision() else f"at {revision}"}
    return checks | {kind: "ok" if kind in working else "no sign of life" for kind in NEEDED_PROCESSES}


@blueprint.get("/metrics")
@gate(Gate.INTERNAL)
def prometheus() -> Response:
    """Counts and durations in Prometheus' text form; labels carry route names and states, never an identity."""
    internal_only()
    try:
        reading = read_standing(wiring(), now())
    except Unavailable:
        reading = None
    return Response(metrics.exposition(reading), content_type=CONTENT_TYPE_LATEST)


def _register_metrics(state: Any) -> None:
    metrics.watch(state.app)


blueprint.record_once(_register_metrics)
