"""The calls to the token endpoint, made by Authlib over the guarded way out (SMART-40 to SMART-44, LIB-06)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT

from fhir_bridge.providers import Provider
from fhir_bridge.smart.errors import LaunchRefused, ProviderUnavailable, ReconnectNeeded
from fhir_bridge.smart.waiting import asked_to_wait
from outbound.client import OutboundClient
from outbound.errors import OutboundRefused
from outbound.limits import Limits
from vocabulary.errors import Unavailable

TOKEN_LIMITS = Limits(read_seconds=20.0, total_seconds=30.0, max_bytes=256 * 1024)
ASSERTION_SECONDS = 240  # SMART allows five minutes
_METHODS = {
    "public": "none",
    "client_secret_basic": "client_secret_basic",
    "private_key_jwt": "private_key_jwt",
}
_OAUTH_ERRORS = frozenset(
    ("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type")
)


def client_session(provider: Provider, endpoint: str, http: OutboundClient, now: datetime) -> OAuth2Session:
    """Authlib's session for one call to `endpoint`, and for no other address.

    A session is never used twice: the assertion of private_key_jwt is made afresh, with its own `jti` (LIB-06).
    """
    method = _METHODS[provider.client_auth]
    session = OAuth2Session(
        client_id=provider.client_id,
        client_secret=_credential(provider),
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
    )
    if provider.client_keys is not None:
        session.register_client_auth_method(_assertion(provider, endpoint, now))
    for hook in ("access_token_response", "refresh_token_response"):
        session.register_compliance_hook(hook, lambda response: _readable(response, now))
    guarded: OAuth2Session = http.guard(session, within=endpoint, limits=TOKEN_LIMITS)
    return guarded


def exchange_code(
    provider: Provider,
    endpoint: str,
    http: OutboundClient,
    now: datetime,
    *,
    code: str,
    redirect_uri: str,
    code_verifier: str,
) -> Any:
    """The token response for an authorization code, as JSON. LaunchRefused or ProviderUnavailable."""
    session = client_session(provider, endpoint, http, now)
    return _called(
        lambda: session.fetch_token(
            endpoint,
            grant_type="authorization_code",
            code=code,
            redirect_uri=redirect_uri,
            code_verifier=code_verifier,
        )
    )


def exchange_refresh_token(
    provider: Provider, endpoint: str, http: OutboundClient, now: datetime, *, refresh_token: str
) -> Any:
    """The token response for a refresh token, as JSON; ReconnectNeeded when it is no longer accepted."""
    session = client_session(provider, endpoint, http, now)
    try:
        return _called(lambda: session.refresh_token(endpoint, refresh_token=refresh_token))
    except LaunchRefused as error:
        if error.reason == "token-invalid_grant":
            raise ReconnectNeeded("invalid-grant") from None
        raise


def _called(call: Any) -> Any:
    try:
        return dict(call())
    except AuthlibBaseError as error:
        name = error.error if error.error in _OAUTH_ERRORS else "error"
        raise LaunchRefused(f"token-{name}") from None
    except OutboundRefused as error:
        raise LaunchRefused(error.reason) from None
    except Unavailable as error:
        raise ProviderUnavailable(error.reason, error.retry_after_seconds) from None
    except (requests.RequestException, ValueError, TypeError, RecursionError):
        raise LaunchRefused("token-answer") from None


def _credential(provider: Provider) -> Any:
    if provider.client_keys is not None:
        return provider.client_keys.signing.jwk  # a key object: Authlib reads any text as an RSA key
    return provider.client_secret


def _assertion(provider: Provider, endpoint: str, now: datetime) -> PrivateKeyJWT:
    assert provider.client_keys is not None
    key = provider.client_keys.signing
    issued = int(now.timestamp())
    return PrivateKeyJWT(
        token_endpoint=endpoint,
        alg=key.alg,
        headers={"kid": key.kid, "typ": "JWT"},
        claims={"iat": issued, "exp": issued + ASSERTION_SECONDS},
    )


def _readable(response: requests.Response, now: datetime) -> requests.Response:
    """Authlib takes any JSON object for a token, whatever the status; this looks first."""
    if response.status_code >= 500 or response.status_code == 429:
        raise ProviderUnavailable(f"status-{response.status_code}", asked_to_wait(response.headers, now))
    try:
        document = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        raise LaunchRefused("token-not-json") from None
    if not isinstance(document, dict):
        raise LaunchRefused("token-not-an-object")
    if response.status_code != 200 and not isinstance(document.get("error"), str):
        raise LaunchRefused("token-status")
    return response
