"""The SMART authorization server, on Authlib's server side (SMART App Launch 2.2, RFC 6749, 7009, 7636, 7662)."""

from __future__ import annotations

import time
from secrets import token_hex
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError, grants
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oidc.core import OpenIDCode
from flask import Flask

from sandbox.hospital.clients import ASSERTION_METHOD, SignedAssertion
from sandbox.hospital.faults import broken_claims
from sandbox.hospital.hospital import Hospital
from sandbox.hospital.permissions import CODE_SECONDS, Code, Permission, Token
from sandbox.hospital.records import Login
from sandbox.hospital.scopes import parse
from sandbox.hospital.signing import unsigned

CLIENT_METHODS = ["client_secret_basic", ASSERTION_METHOD, "none"]
_REFRESHING = {"offline_access", "online_access"}


class Decision:
    """What the person decided on the consent screen: who they are, about whom, and how much."""

    def __init__(self, login: Login, patient_id: str, scope: str, *, banner: bool) -> None:
        self.login, self.patient_id, self.scope, self.banner = login, patient_id, scope, banner


class SmartRequest:
    """What SMART asks of an authorization request beyond OAuth: aud, state, PKCE S256, a known launch."""

    def __init__(self, hospital: Hospital) -> None:
        self._hospital = hospital

    def __call__(self, grant: Any) -> None:
        """Authlib registers an extension by calling it."""
        grant.register_hook("after_validate_authorization_request_payload", self.check)

    def check(self, grant: Any, _redirect_uri: str) -> None:
        """Raise invalid_request with the reason."""
        data = grant.request.payload.data
        if not data.get("state"):
            raise InvalidRequestError("Missing 'state'.")
        if (data.get("aud") or "").rstrip("/") != self._hospital.fhir_url:
            raise InvalidRequestError(f"'aud' must be the FHIR base URL {self._hospital.fhir_url}.")
        if not data.get("code_challenge") or data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE is required: send 'code_challenge' with method S256.")
        asked = (data.get("scope") or "").split()
        if not any(parse(one) for one in asked) and "openid" not in asked:
            raise InvalidRequestError("No scope that this server knows.")
        if "launch" in asked and not self._hospital.permissions.launch(data.get("launch", ""), time.time(), use=False):
            raise InvalidRequestError("The 'launch' value is unknown or too old.")


class CodeFlow(grants.AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib is untyped
    """Authorization code with PKCE; a refresh token only for offline_access or online_access."""

    TOKEN_ENDPOINT_AUTH_METHODS = CLIENT_METHODS

    @property
    def hospital(self) -> Hospital:
        """The hospital this grant works for."""
        found: Hospital = self.server.hospital
        return found

    def save_authorization_code(self, code: str, request: Any) -> None:
        """Remember the code with the person's decision."""
        decision: Decision = request.user
        permission = Permission(
            id=token_hex(8), client_id=request.client.client_id, login_id=decision.login.id,
            patient_id=decision.patient_id, scope=decision.scope, banner=decision.banner,
        )  # fmt: skip
        data = request.payload.data
        self.hospital.permissions.allow(permission)
        self.hospital.permissions.add_code(
            Code(code, permission, request.payload.redirect_uri, data.get("nonce"), data["code_challenge"],
                 time.time() + CODE_SECONDS)
        )  # fmt: skip

    def query_authorization_code(self, code: str, client: Any) -> Code | None:
        """A live code of this client."""
        return self.hospital.permissions.take_code(code, client.client_id, time.time())

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """One use; a racing second use ends the permission."""
        if not self.hospital.permissions.spend(authorization_code):
            raise InvalidGrantError("The code was used before.")

    def authenticate_user(self, authorization_code: Code) -> Login | None:
        """Who allowed it."""
        return self.hospital.records.logins.get(authorization_code.permission.login_id)

    def generate_token(self, *args: Any, **kwargs: Any) -> Any:
        """Authlib's token, with a refresh token only where the scopes ask for one."""
        kwargs["include_refresh_token"] = bool(_REFRESHING & set((kwargs.get("scope") or "").split()))
        return super().generate_token(*args, **kwargs)


class Refresh(grants.RefreshTokenGrant):  # type: ignore[misc]  # Authlib is untyped
    """Refresh with rotation: each refresh token works once."""

    TOKEN_ENDPOINT_AUTH_METHODS = CLIENT_METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
        """The permission behind the token, unless revoked."""
        hospital: Hospital = self.server.hospital
        if hospital.faults.get("refresh") == "invalid_grant":
            return None
        return hospital.permissions.refreshing(refresh_token)

    def authenticate_user(self, refresh_token: Token) -> Login | None:
        """Who allowed it."""
        hospital: Hospital = self.server.hospital
        return hospital.records.logins.get(refresh_token.permission.login_id)

    def revoke_old_credential(self, refresh_token: Token) -> None:
        """Nothing left to do: saving the new token retired the old one."""


class IdToken(OpenIDCode):  # type: ignore[misc]  # Authlib is untyped
    """RS256 id_token with nonce and fhirUser."""

    def __init__(self, hospital: Hospital) -> None:
        super().__init__(require_nonce=False)
        self._hospital = hospital

    def exists_nonce(self, nonce: str, request: Any) -> bool:  # noqa: ARG002  # Authlib's signature
        """Never: the consent screen validates the same request twice."""
        return False

    def encode_id_token(self, token: Any, request: Any) -> str:
        """The token, or a broken one while a fault asks for it."""
        hospital, login = self._hospital, request.user
        now = int(time.time())
        claims = {
            "iss": hospital.issuer, "aud": request.client.client_id, "sub": login.subject(hospital.config.id),
            "iat": now, "exp": now + 300,
        }  # fmt: skip
        if nonce := request.authorization_code.get_nonce():
            claims["nonce"] = nonce
        if {"fhirUser", "profile"} & set(token["scope"].split()):
            claims["fhirUser"] = hospital.fhir_user(login)
        fault = hospital.faults.get("id_token")
        claims = broken_claims(fault, claims) if fault else claims
        if fault == "alg_none":
            return unsigned(claims)
        return hospital.keys.sign(claims, kid="unknown-key" if fault == "kid" else None)


class Revocation(RevocationEndpoint):  # type: ignore[misc]  # Authlib is untyped
    """RFC 7009: either token ends the whole permission."""

    CLIENT_AUTH_METHODS = CLIENT_METHODS

    def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:  # noqa: ARG002 - Authlib's signature
        """The token, whatever the hint says."""
        hospital: Hospital = self.server.hospital
        return hospital.permissions.find(token_string)

    def revoke_token(self, token: Token, request: Any) -> None:  # noqa: ARG002  # Authlib's signature
        """End the permission."""
        hospital: Hospital = self.server.hospital
        hospital.permissions.revoke(token.permission)


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]  # Authlib is untyped
    """RFC 7662 with SMART's launch context (SMART-50)."""

    CLIENT_AUTH_METHODS = CLIENT_METHODS

    def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:  # noqa: ARG002 - Authlib's signature
        """The token, whatever the hint says."""
        hospital: Hospital = self.server.hospital
        return hospital.permissions.find(token_string)

    def check_permission(self, token: Token, client: Any, request: Any) -> bool:  # noqa: ARG002 - Authlib's signature
        """Only the app that holds the token may ask."""
        return token.check_client(client)

    def introspect_token(self, token: Token) -> dict[str, Any]:
        """What the token stands for."""
        hospital: Hospital = self.server.hospital
        login = hospital.records.logins[token.permission.login_id]
        told: dict[str, Any] = {
            "active": True, "scope": token.scope, "client_id": token.permission.client_id, "iss": hospital.issuer,
            "patient": token.permission.patient_id, "sub": login.subject(hospital.config.id),
            "fhirUser": hospital.fhir_user(login),
        }  # fmt: skip
        return told if token.expires == float("inf") else {**told, "exp": int(token.expires)}


def _with_context(hospital: Hospital, token: dict[str, Any], request: Any) -> None:
    """Authlib's `save_token`: put the launch context into the answer and remember the token."""
    refreshing = getattr(request, "refresh_token", None)
    source = refreshing or request.authorization_code
    permission: Permission = source.permission
    hospital.permissions.issue(permission, token, time.time())
    if permission.patient_id:
        token["patient"] = permission.patient_id
    if permission.banner:
        token["need_patient_banner"] = True
    if refreshing and hospital.faults.get("refresh") == "swap_patient":
        token["patient"] = "somebody-else"
    if refreshing and hospital.faults.get("refresh") == "drop_patient":
        token.pop("patient", None)
    if hospital.faults.get("token") == "no_patient":
        token.pop("patient", None)
    if hospital.faults.get("token") == "no_scope":
        token.pop("scope", None)


def authorization_server(app: Flask, hospital: Hospital) -> Any:
    """Authlib's server, wired to this hospital. Its endpoints are put on routes by `oauth_pages`."""
    seconds = hospital.config.access_token_seconds
    app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
    app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {"authorization_code": seconds, "refresh_token": seconds}
    server = AuthorizationServer(
        app, query_client=hospital.apps.get, save_token=lambda token, request: _with_context(hospital, token, request)
    )
    server.hospital = hospital
    audiences = [hospital.token_url, hospital.revoke_url, hospital.introspect_url]
    server.register_client_auth_method(ASSERTION_METHOD, SignedAssertion(hospital.config, audiences))
    server.register_grant(CodeFlow, [CodeChallenge(required=True), SmartRequest(hospital), IdToken(hospital)])
    server.register_grant(Refresh)
    server.register_endpoint(Revocation)
    server.register_endpoint(Introspection)
    return server
