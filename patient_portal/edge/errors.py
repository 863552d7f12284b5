"""The one table from typed errors to answers: a page for people, a problem document (RFC 9457) for programs.

Nothing a client sends ends in a 5xx; what is left over becomes one plain page with a number to quote, no detail
(SEC-10).
"""

from __future__ import annotations

import secrets

import structlog
from flask import Flask, Response, g, jsonify, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError, DBAPIError
from werkzeug.exceptions import HTTPException

from database.unit_of_work import is_transient
from patient_portal.gates import current_actor
from vocabulary.errors import Conflict, Invalid, NotFound, PortalError, Refused, TooMany, Unavailable

log = structlog.get_logger()

STATUS: tuple[tuple[type[PortalError], int], ...] = (
    (NotFound, 404),
    (Invalid, 422),
    (Refused, 403),
    (Conflict, 409),
    (TooMany, 429),
    (Unavailable, 503),
)
PAGES = frozenset({400, 403, 404, 405, 409, 413, 415, 422, 429, 500, 503})


def status_of(error: PortalError) -> int:
    """The HTTP status of a typed error; the first kind that fits."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def translate_errors(app: Flask) -> None:
    """Install the handlers."""
    app.register_error_handler(PortalError, _typed)
    app.register_error_handler(CSRFError, lambda _error: answer(400, "form-expired"))
    app.register_error_handler(HTTPException, _from_werkzeug)
    app.register_error_handler(DataError, lambda _error: answer(400, "unreadable"))
    app.register_error_handler(DBAPIError, _database_trouble)
    app.register_error_handler(Exception, _unexpected)


def _typed(error: PortalError) -> Response:
    _note_reaching(error)
    return answer(status_of(error), error.reason, getattr(error, "retry_after_seconds", None))


def _from_werkzeug(error: HTTPException) -> Response:
    if error.code is not None and error.code < 400:
        return make_response(error.get_response())
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, PortalError):  # raised before any view, such as by a session's read from a database away
        return _typed(cause)
    response = answer(error.code or 500, "http")
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After"}:
            response.headers[name] = value
    return response


def _database_trouble(error: DBAPIError) -> Response:
    return answer(503, "database-unavailable", 5) if is_transient(error) else _unexpected(error)


def _unexpected(error: Exception) -> Response:
    log.error("unexpected", request=correlation(), endpoint=request.endpoint, error=type(error).__name__)
    return answer(500, "unexpected")


def _note_reaching(error: PortalError) -> None:
    """A signed-in person asked for what is not there or not theirs: perhaps somebody tries ids (SEC-08)."""
    if isinstance(error, NotFound) and current_actor().signed_in:
        log.info("not-found", endpoint=request.endpoint, status=404, actor=current_actor().kind.value)


def correlation() -> str:
    """A short number that joins a person's report with our log, and nothing else."""
    if "correlation" not in g:
        g.correlation = secrets.token_hex(6)
    return str(g.correlation)


def answer(status: int, reason: str, retry_after: int | None = None) -> Response:
    """The page or problem document for a status; 404s are the same whatever the reason."""
    if status != 404:
        log.info("refused", request=correlation(), endpoint=request.endpoint, status=status, reason=reason)
    if _wants_json():
        document = {"type": "about:blank", "status": status, "title": reason if status != 404 else "not-found"}
        response = make_response(jsonify(document), status)
        response.content_type = "application/problem+json"
    else:
        page = f"errors/{status if status in PAGES else 400 if status < 500 else 500}.html"
        number = "" if status == 404 else correlation()
        response = make_response(render_template(page, reason=reason, correlation=number), status)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def _wants_json() -> bool:
    return request.path.startswith(("/webhooks/", "/fhir/")) or (
        request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"
    )
