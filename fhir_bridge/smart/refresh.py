"""A fresh access token for a connection that stays bound to its patient (SMART-47, SMART-48; abuse case 6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from fhir_bridge.providers import Provider
from fhir_bridge.smart.discovery import SmartConfiguration
from fhir_bridge.smart.errors import PatientChanged
from fhir_bridge.smart.grant import TokenAnswer, read_token_answer
from fhir_bridge.smart.issuer_keys import IssuerKeys
from fhir_bridge.smart.token_request import exchange_refresh_token
from outbound.client import OutboundClient


@dataclass(frozen=True)
class Binding:
    """Whom the connection is for, fixed when it was made: the id_token's issuer and subject, and the patient."""

    issuer: str = field(repr=False)
    subject: str = field(repr=False)
    patient: str | None = field(repr=False)


@dataclass(frozen=True)
class RefreshedTokens:
    """What replaces the stored tokens, all at once. `refresh_token` is the new one, or the old one when none came."""

    scope: str
    expires_at: datetime
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


def refresh(
    provider: Provider,
    configuration: SmartConfiguration,
    http: OutboundClient,
    now: datetime,
    *,
    refresh_token: str,
    binding: Binding,
    keys: IssuerKeys | None = None,
) -> RefreshedTokens:
    """Use `refresh_token` once. The caller holds the connection's lock and saves the result before letting go.

    Raises ReconnectNeeded (`invalid_grant`: delete the tokens, ask to reconnect, do not retry), PatientChanged (stop
    the connection, alarm), ProviderUnavailable (keep the tokens, try later), LaunchRefused (the answer is unusable).
    """
    raw = exchange_refresh_token(provider, configuration.token_endpoint, http, now, refresh_token=refresh_token)
    answer = read_token_answer(raw, now, refresh=True)
    check_binding(answer, binding)
    if answer.id_token is not None:
        identity = (keys or IssuerKeys(http)).verify(
            provider, configuration, answer.id_token, nonce=None, access_token=answer.access_token, now=now
        )
        if (identity.issuer, identity.subject) != (binding.issuer, binding.subject):
            raise PatientChanged("subject-changed")
    return RefreshedTokens(
        scope=answer.scope,
        expires_at=answer.expires_at,
        access_token=answer.access_token,
        refresh_token=answer.refresh_token or refresh_token,
    )


def check_binding(answer: TokenAnswer, binding: Binding) -> None:
    """A refresh without `patient` keeps the patient; one that names another is PatientChanged."""
    if answer.patient is not None and answer.patient != binding.patient:
        raise PatientChanged("patient-changed")
