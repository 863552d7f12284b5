"""The apps registered at this hospital and how they prove themselves (SMART-41, SMART-42)."""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass
from typing import Any

import requests
from authlib.oauth2.rfc6749 import ClientMixin, InvalidClientError
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from sandbox.hospital.configuration import HospitalConfig
from sandbox.hospital.scopes import supported

ASSERTION_METHOD = JWTBearerClientAssertion.CLIENT_AUTH_METHOD
_METHODS = {"public": "none", "client_secret_basic": "client_secret_basic", "private_key_jwt": ASSERTION_METHOD}
_LONGEST_ASSERTION = 300


@dataclass(frozen=True)
class RegisteredApp(ClientMixin):  # type: ignore[misc]  # Authlib is untyped
    """One registered client."""

    client_id: str
    name: str
    method: str
    redirect_uris: tuple[str, ...]
    secret: str | None = None

    def get_client_id(self) -> str:
        """The client id."""
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """None: the redirect must always be sent (SMART-10)."""
        return

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """The scopes this server knows; None (invalid_scope) when nothing remains."""
        return supported(scope or "") or None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Exact match only."""
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        """Constant-time comparison."""
        return self.secret is not None and hmac.compare_digest(self.secret.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002  # Authlib's signature
        """One method per client, at every endpoint."""
        return method == self.method

    def check_response_type(self, response_type: str) -> bool:
        """Only the code flow."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Code and refresh."""
        return grant_type in ("authorization_code", "refresh_token")


def registered(config: HospitalConfig) -> dict[str, RegisteredApp]:
    """The portal's client, and a public twin `portal-public` with the same redirect."""
    method = _METHODS[config.portal_client_auth]
    if method == "client_secret_basic" and not config.client_secret:
        raise ValueError(f"hospital {config.id}: client_secret_basic needs a client secret (--client-secret-file)")
    redirects = (config.redirect_uri,)
    portal = RegisteredApp("portal", "My Cancer Record", method, redirects, config.client_secret)
    public = RegisteredApp("portal-public", "My Cancer Record (public client)", "none", redirects)
    return {app.client_id: app for app in (portal, public)}


class SignedAssertion(JWTBearerClientAssertion):  # type: ignore[misc]  # Authlib is untyped
    """private_key_jwt as SMART wants it: RS384 or ES384, kid and typ, at most five minutes, jti used once.

    Authlib's own check refuses ES384, so signature and claims are decoded here with the two algorithms named.
    """

    def __init__(self, config: HospitalConfig, audiences: list[str]) -> None:
        super().__init__()
        self._config, self._audiences = config, audiences
        self._keys: list[dict[str, Any]] = []
        self._seen: dict[str, float] = {}

    def get_audiences(self) -> list[str]:
        """The endpoint URLs an assertion may be made for."""
        return self._audiences

    def resolve_client_public_key(self, client: Any) -> KeySet:  # noqa: ARG002  # Authlib's signature
        """The portal's public keys, fetched anew for each assertion: demos rotate keys and nobody waits here."""
        try:
            answer = requests.get(self._config.portal_jwks_url, timeout=5)
            answer.raise_for_status()
            return KeySet.import_key_set(answer.json())
        except (requests.RequestException, ValueError, KeyError, JoseError) as error:
            raise InvalidClientError(description="The client's JWK set could not be read.") from error

    def process_assertion_claims(self, assertion: str, resolve_key: Any) -> Any:
        """Check header, signature, claims and lifetime."""
        try:
            token = jwt.decode(assertion, resolve_key, algorithms=["RS384", "ES384"])
        except (JoseError, ValueError) as error:
            raise InvalidClientError(description="The client assertion is not valid.") from error
        if not token.header.get("kid") or token.header.get("typ") != "JWT":
            raise InvalidClientError(description="The client assertion needs kid and typ in its header.")
        expires = token.claims.get("exp")
        if not isinstance(expires, int) or expires > time.time() + _LONGEST_ASSERTION + self.leeway:
            raise InvalidClientError(description="The client assertion lives too long.")
        self.verify_claims(token.claims)
        return token.claims

    def validate_jti(self, claims: Any, jti: str) -> bool:
        """False when this jti was used before."""
        now = time.time()
        self._seen = {key: until for key, until in self._seen.items() if until > now}
        if jti in self._seen:
            return False
        self._seen[jti] = float(claims["exp"]) + self.leeway
        return True
