"""The authorization request: what is sent to the provider with the person's browser (SMART-10 to 15, 20 to 22)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from fhir_bridge.providers import Provider
from fhir_bridge.smart.discovery import SmartConfiguration
from fhir_bridge.smart.errors import LaunchRefused, ProviderUnavailable
from fhir_bridge.smart.scopes import requested

ENTROPY_BYTES = 96
LONG_URL = 2000
MAX_LAUNCH = 4096


@dataclass(frozen=True)
class LaunchRequest:
    """One launch on its way, to be kept on our side until the callback and used once.

    `url` is where the browser goes; `parameters` are the same things for a form POST to `authorization_endpoint`
    when `by_post` says that the address would be too long (SMART-13).
    """

    provider_id: str
    redirect_uri: str
    scope: str
    ehr_launch: bool
    issuer: str
    token_endpoint: str
    authorization_endpoint: str = field(repr=False)
    by_post: bool = False
    url: str = field(default="", repr=False)
    parameters: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    state: str = field(default="", repr=False)
    nonce: str | None = field(default=None, repr=False)
    code_verifier: str = field(default="", repr=False)

    @property
    def panel(self) -> bool:
        """Whether staff signed in for their own list of patients: asked for without a chart and without a patient."""
        return not {"launch", "launch/patient"} & set(self.scope.split())

    def as_stored(self) -> dict[str, Any]:
        """What must be kept until the callback: plain JSON, secret, to be encrypted at rest."""
        return {
            "provider_id": self.provider_id,
            "redirect_uri": self.redirect_uri,
            "scope": self.scope,
            "ehr_launch": self.ehr_launch,
            "issuer": self.issuer,
            "token_endpoint": self.token_endpoint,
            "authorization_endpoint": self.authorization_endpoint,
            "state": self.state,
            "nonce": self.nonce,
            "code_verifier": self.code_verifier,
        }

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> LaunchRequest:
        """The request as the callback needs it; `url` and `parameters` are not kept."""
        return cls(**stored)


def begin_launch(
    provider: Provider,
    configuration: SmartConfiguration,
    *,
    redirect_uri: str,
    entropy: bytes,
    launch: str | None = None,
    offline: bool = False,
    panel: bool = False,
) -> LaunchRequest:
    """Make the authorization request.

    `launch` is the value an EHR brought, None for a standalone launch. `entropy` is 96 fresh random bytes, 32 each
    for state, nonce and PKCE verifier (256 bits; SMART-11, SMART-12). `offline` asks for background refresh, only
    when the person turned it on (SMART-36). A launch from a chart at a `care_team` provider asks for the care team's
    scopes; `panel` is a standalone launch of staff, for their own list of patients. Raises ProviderUnavailable when
    the server cannot do this launch, LaunchRefused for an unusable `launch`.
    """
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"entropy must be {ENTROPY_BYTES} bytes")
    _check_possible(launch, configuration)
    state, fresh_nonce, verifier = (_text(entropy[start : start + 32]) for start in (0, 32, 64))
    scope = _scope(provider, configuration, ehr_launch=launch is not None, offline=offline, panel=panel)
    nonce = fresh_nonce if provider.send_nonce else None
    parameters = _parameters(provider, redirect_uri, scope, state=state, verifier=verifier, launch=launch, nonce=nonce)
    url: str = prepare_grant_uri(configuration.authorization_endpoint, **parameters)
    return LaunchRequest(
        provider_id=provider.id,
        redirect_uri=redirect_uri,
        scope=scope,
        ehr_launch=launch is not None,
        issuer=configuration.issuer,
        token_endpoint=configuration.token_endpoint,
        authorization_endpoint=configuration.authorization_endpoint,
        by_post=len(url) > LONG_URL and "authorize-post" in configuration.capabilities,
        url=url,
        parameters=tuple(parameters.items()),
        state=state,
        nonce=nonce,
        code_verifier=verifier,
    )


def _check_possible(launch: str | None, configuration: SmartConfiguration) -> None:
    if launch is not None and not (0 < len(launch) <= MAX_LAUNCH and launch.isprintable()):
        raise LaunchRefused("launch-value")
    if ("launch-standalone" if launch is None else "launch-ehr") not in configuration.capabilities:
        raise ProviderUnavailable("launch-not-supported")


def _scope(
    provider: Provider, configuration: SmartConfiguration, *, ehr_launch: bool, offline: bool, panel: bool
) -> str:
    care_team = ehr_launch and provider.care_team
    return requested(
        provider.scopes, configuration.capabilities, ehr_launch=ehr_launch, care_team=care_team, offline=offline,
        panel=panel,
    )  # fmt: skip


def _parameters(
    provider: Provider, redirect_uri: str, scope: str, *, state: str, verifier: str, **optional: str | None
) -> dict[str, str]:
    return {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri,
        "scope": scope,
        "state": state,
        "aud": provider.fhir_base_url,
        "code_challenge": create_s256_code_challenge(verifier),
        "code_challenge_method": "S256",
        **{name: value for name, value in optional.items() if value is not None},
    }


def _text(random_bytes: bytes) -> str:
    return base64.urlsafe_b64encode(random_bytes).rstrip(b"=").decode()
