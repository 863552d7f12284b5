"""Signing in at an OpenID Connect provider, for those who are no patients: discovery, request, callback, identity.

What a hospital's sign-in checks is checked here by the same code: state, RFC 9207 `iss`, PKCE S256, nonce, keys of the
issuer only (OpenID Connect Core 1.0 section 3.1, Discovery 1.0 section 4).
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from fhir_bridge.identity_providers import IdentityProvider
from fhir_bridge.smart.discovery import KEPT_FOR, SmartConfiguration, fetch_json
from fhir_bridge.smart.errors import LaunchRefused, ProviderUnavailable
from fhir_bridge.smart.finish import read_callback
from fhir_bridge.smart.grant import read_token_answer
from fhir_bridge.smart.identity import Identity
from fhir_bridge.smart.issuer_keys import IssuerKeys
from fhir_bridge.smart.launch import ENTROPY_BYTES, LaunchRequest
from fhir_bridge.smart.token_request import exchange_code
from outbound.client import OutboundClient


def read_openid_configuration(identity: IdentityProvider, document: object) -> SmartConfiguration:
    """Check the published document; ProviderUnavailable names what is missing or points to a foreign host.

    A provider that says nothing of PKCE is sent it all the same; one that names methods must name S256.
    """
    if not isinstance(document, dict):
        raise ProviderUnavailable("configuration-not-an-object")
    if document.get("issuer") != identity.door.issuer:
        raise ProviderUnavailable("configuration-foreign-issuer")
    methods = document.get("code_challenge_methods_supported")
    if methods is not None and (not isinstance(methods, list) or "S256" not in methods):
        raise ProviderUnavailable("configuration-without-s256")
    return SmartConfiguration(
        token_endpoint=_endpoint(identity, document, "token_endpoint"),
        authorization_endpoint=_endpoint(identity, document, "authorization_endpoint"),
        capabilities=frozenset(),
        issuer=str(identity.door.issuer),
        jwks_uri=_endpoint(identity, document, "jwks_uri"),
        response_names_issuer=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _endpoint(identity: IdentityProvider, document: Mapping[str, Any], key: str) -> str:
    value, name = document.get(key), key.replace("_", "-")
    if not isinstance(value, str) or not value:
        raise ProviderUnavailable(f"configuration-without-{name}")
    if not identity.door.owns(value):
        raise ProviderUnavailable(f"configuration-foreign-{name}")
    return value


class OpenIdClient:
    """One per process, shared by threads: remembers what identity providers publish."""

    def __init__(self, http: OutboundClient) -> None:
        self._http = http
        self._keys = IssuerKeys(http)
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[datetime, SmartConfiguration]] = {}

    def configuration(self, identity: IdentityProvider, now: datetime) -> SmartConfiguration:
        """What the provider publishes, kept for ten minutes; ProviderUnavailable when it cannot be had or used."""
        with self._lock:
            kept = self._kept.get(identity.id)
        if kept is not None and now - kept[0] < KEPT_FOR:
            return kept[1]
        address = str(identity.door.issuer).rstrip("/") + "/.well-known/openid-configuration"
        found = read_openid_configuration(identity, fetch_json(self._http, address, now))
        with self._lock:
            self._kept[identity.id] = (now, found)
        return found

    def begin(
        self, identity: IdentityProvider, now: datetime, *, redirect_uri: str, entropy: bytes, again: bool = False
    ) -> LaunchRequest:
        """The authorization request; `entropy` is 96 fresh random bytes, 32 each for state, nonce and verifier.

        `again`: the provider asks who it is and by what, also somebody who is signed in there (Core 1.0, `prompt`).
        """
        if len(entropy) != ENTROPY_BYTES:
            raise ValueError(f"entropy must be {ENTROPY_BYTES} bytes")
        configuration = self.configuration(identity, now)
        state, nonce, verifier = (_text(entropy[start : start + 32]) for start in (0, 32, 64))
        parameters = {
            "response_type": "code", "client_id": identity.door.client_id, "redirect_uri": redirect_uri,
            "scope": identity.scopes, "state": state, "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier), "code_challenge_method": "S256",
            **({"acr_values": " ".join(identity.acr)} if identity.acr else {}),
            **({"prompt": "login"} if again else {}),
        }  # fmt: skip
        return LaunchRequest(
            provider_id=identity.door.id,
            redirect_uri=redirect_uri,
            scope=identity.scopes,
            ehr_launch=False,
            issuer=configuration.issuer,
            token_endpoint=configuration.token_endpoint,
            authorization_endpoint=configuration.authorization_endpoint,
            url=prepare_grant_uri(configuration.authorization_endpoint, **parameters),
            state=state,
            nonce=nonce,
            code_verifier=verifier,
        )

    def finish(
        self, identity: IdentityProvider, request: LaunchRequest, params: Mapping[str, str], now: datetime
    ) -> Identity:
        """Who signed in, from the callback's parameters; LaunchDenied, LaunchRefused or ProviderUnavailable.

        The tokens are dropped: nothing is ever asked of the provider in this person's name.
        """
        configuration = self.configuration(identity, now)
        code = read_callback(identity.door, configuration, request, params)
        raw = exchange_code(
            identity.door, configuration.token_endpoint, self._http, now,
            code=code, redirect_uri=request.redirect_uri, code_verifier=request.code_verifier,
        )  # fmt: skip
        # OAuth lets a server leave the scope out when it is what was asked for (RFC 6749 section 5.1).
        answer = read_token_answer({"scope": request.scope, **raw}, now, refresh=False)
        if answer.id_token is None:
            raise LaunchRefused("id-token-missing")
        return self._keys.verify(
            identity.door, configuration, answer.id_token, nonce=request.nonce, access_token=answer.access_token,
            now=now,
        )  # fmt: skip


def _text(random_bytes: bytes) -> str:
    return base64.urlsafe_b64encode(random_bytes).rstrip(b"=").decode()
