"""Makes the application for programs: `portal api`, under the worker's login, since a store's events cross persons.

The pages' processes have no such right (ADR 0010). Every route declares the scope that its token must carry, or that
it is open; one without keeps the service from starting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from flask import Blueprint, Flask, Response, current_app, g, jsonify, request
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from database.unit_of_work import is_transient
from patient_portal.api.clients import ApiClient
from patient_portal.api.tokens import Granted, redeem
from patient_portal.choices.deciding import decider_of
from patient_portal.wiring import Wiring, now, wiring
from vocabulary.errors import Conflict, Invalid, NotFound, PortalError, Refused, TooMany, Unavailable

log = structlog.get_logger()
View = TypeVar("View", bound=Callable[..., Any])

OPEN = ""
MAX_BODY = 64 * 1024
STATUS: tuple[tuple[type[PortalError], int], ...] = (
    (NotFound, 404), (Invalid, 400), (Refused, 403), (Conflict, 409), (TooMany, 429), (Unavailable, 503),
)  # fmt: skip
ISSUE = {400: "invalid", 401: "login", 403: "forbidden", 404: "not-found", 405: "not-supported", 413: "too-long",
         429: "throttled", 503: "transient"}  # fmt: skip


def needs(scope: str) -> Callable[[View], View]:
    """Declare the scope of a view, or `OPEN`; stands directly under the route."""

    def declare(view: View) -> View:
        view.scope = scope  # type: ignore[attr-defined]  # a mark on the function, read at the gate
        return view

    return declare


def create_api(parts: Wiring, blueprints: tuple[Blueprint, ...]) -> Flask:
    """The WSGI application; raises when a route declares nothing. `parts` under the worker's login."""
    app = Flask("patient_portal.api", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY)
    app.extensions["wiring"] = parts
    app.extensions["decider"] = decider_of(parts)
    app.before_request(_ask)
    app.after_request(_headers)
    app.register_error_handler(PortalError, _typed)
    app.register_error_handler(HTTPException, _from_werkzeug)
    app.register_error_handler(DBAPIError, _database_trouble)
    app.register_error_handler(Exception, _unexpected)
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    undeclared = [name for name, view in app.view_functions.items() if not hasattr(view, "scope")]
    if undeclared:
        raise RuntimeError(f"routes without a scope: {', '.join(sorted(undeclared))}")
    hops = parts.settings.trusted_proxies
    if hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]  # Flask's own way
    return app


def clients() -> tuple[ApiClient, ...]:
    """The registered clients."""
    return wiring().settings.clients


def caller() -> Granted:
    """Who asks; only in views that need a scope."""
    found = g.granted
    assert isinstance(found, Granted)
    return found


def _ask() -> Response | None:
    if request.endpoint is None:
        return None
    scope = getattr(current_app.view_functions[request.endpoint], "scope", None)
    if scope == OPEN:
        return None
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    granted = None
    if kind.lower() == "bearer" and 0 < len(token) <= 200:
        parts = wiring()
        granted = redeem(parts.database, parts.keyring, clients(), token.strip(), now())
    if granted is None:
        return answer(401, "token-missing-or-over", {"WWW-Authenticate": 'Bearer error="invalid_token"'})
    if scope not in granted.scopes:
        return answer(403, "scope", {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'})
    g.granted = granted
    return None


def _headers(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
    if wiring().settings.production:
        response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    return response


def answer(status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    """An OperationOutcome below /fhir, a problem document (RFC 9457) elsewhere."""
    if status != 404:
        log.info("api.refused", endpoint=request.endpoint, status=status, reason=reason)
    if request.path.startswith("/fhir"):
        issue = {"severity": "error", "code": ISSUE.get(status, "processing"), "diagnostics": reason}
        response = jsonify({"resourceType": "OperationOutcome", "issue": [issue]})
        response.content_type = "application/fhir+json"
    else:
        response = jsonify({"type": "about:blank", "status": status, "title": reason})
        response.content_type = "application/problem+json"
    response.status_code = status
    response.headers.update(headers or {})
    return response


def _typed(error: PortalError) -> Response:
    status = next((status for kind, status in STATUS if isinstance(error, kind)), 500)
    wait = getattr(error, "retry_after_seconds", None)
    reason = "not-found" if status == 404 else error.reason
    return answer(status, reason, {"Retry-After": str(wait)} if wait is not None else None)


def _from_werkzeug(error: HTTPException) -> Response:
    allow = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    return answer(error.code or 500, error.name.lower().replace(" ", "-"), allow)


def _database_trouble(error: DBAPIError) -> Response:
    if is_transient(error):
        return answer(503, "database-unavailable", {"Retry-After": "5"})
    return _unexpected(error)


def _unexpected(error: Exception) -> Response:
    log.error("api.unexpected", endpoint=request.endpoint, error=type(error).__name__)
    return answer(500, "unexpected")
