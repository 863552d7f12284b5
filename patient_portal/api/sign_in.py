"""The token endpoint and what a client reads before it asks (SMART App Launch 2.2, Backend Services)."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Blueprint, Response, jsonify, request

from patient_portal.api.app import OPEN, clients, needs
from patient_portal.api.assertion import ALGORITHMS, TYPE, NotAccepted, check_assertion
from patient_portal.api.clients import SCOPES
from patient_portal.api.tokens import LIFE, grant
from patient_portal.edge.rate_limits import limited
from patient_portal.wiring import now, wiring

log = structlog.get_logger()
blueprint = Blueprint("api_sign_in", __name__)


def base_url() -> str:
    """Where programs find us: the public address, whatever the proxy in front calls this process."""
    return wiring().settings.api_base_url


def token_endpoint() -> str:
    return f"{base_url()}/oauth/token"


@blueprint.get("/fhir/.well-known/smart-configuration")
@needs(OPEN)
def configuration() -> Response:
    """What can be done here, truly: no launch and no user, only programs with a key of their own."""
    document = {
        "issuer": base_url(),
        "token_endpoint": token_endpoint(),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "scopes_supported": list(SCOPES),
        "capabilities": ["client-confidential-asymmetric", "permission-v2"],
        "code_challenge_methods_supported": ["S256"],
    }
    response = jsonify(document)
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


@blueprint.post("/oauth/token")
@needs(OPEN)
@limited("api-token", per_minute=120)
def token() -> Response:
    """An access token for a signed assertion (RFC 7523); every failure says as little as RFC 6749 5.2 allows."""
    form = request.form
    if any(len(form.getlist(name)) > 1 for name in form):
        return _refused(400, "invalid_request")
    if form.get("grant_type") != "client_credentials":
        return _refused(400, "unsupported_grant_type")
    if form.get("client_assertion_type") != TYPE:
        return _refused(401, "invalid_client")
    try:
        assertion = check_assertion(form.get("client_assertion", ""), clients(), token_endpoint(), now())
        asked = set(form.get("scope", "").split())
        if not asked or not asked <= assertion.client.scopes:
            return _refused(400, "invalid_scope")
        made = grant(wiring().database, wiring().keyring, assertion, asked, now())
    except NotAccepted as error:
        log.warning("api.assertion-refused", reason=error.reason)
        return _refused(401, "invalid_client")
    found: dict[str, Any] = {
        "access_token": made,
        "token_type": "bearer",
        "expires_in": int(LIFE.total_seconds()),
        "scope": " ".join(sorted(asked)),
    }
    return jsonify(found)


def _refused(status: int, error: str) -> Response:
    response = jsonify({"error": error})
    response.status_code = status
    return response
