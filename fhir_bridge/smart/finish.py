"""From the callback to a grant: every check between the provider's answer and somebody being signed in."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime

from fhir_bridge.providers import Provider
from fhir_bridge.smart.context import role_of
from fhir_bridge.smart.discovery import SmartConfiguration
from fhir_bridge.smart.errors import LaunchDenied, LaunchRefused
from fhir_bridge.smart.grant import Grant, grant_of, read_token_answer
from fhir_bridge.smart.issuer_keys import IssuerKeys
from fhir_bridge.smart.launch import LaunchRequest
from fhir_bridge.smart.token_request import exchange_code
from outbound.client import OutboundClient

MAX_CODE = 4096


def read_callback(
    provider: Provider, configuration: SmartConfiguration, request: LaunchRequest, params: Mapping[str, str]
) -> str:
    """The authorization code in the callback's parameters (SMART-11, SMART-14, SMART-15).

    LaunchDenied when access was denied; LaunchRefused when the parameters do not belong to this request. The
    provider is the one found by the stored state, never one the parameters name.
    """
    if request.provider_id != provider.id:
        raise LaunchRefused("callback-provider")
    if not request.state or not hmac.compare_digest(params.get("state", "").encode(), request.state.encode()):
        raise LaunchRefused("callback-state")
    if (request.issuer, request.token_endpoint) != (configuration.issuer, configuration.token_endpoint):
        raise LaunchRefused("configuration-changed")
    named = params.get("iss")
    if (named is not None and named != request.issuer) or (named is None and configuration.response_names_issuer):
        raise LaunchRefused("callback-iss")
    if "error" in params:
        if params["error"] == "access_denied":
            raise LaunchDenied("access-denied")
        raise LaunchRefused("callback-error")
    code = params.get("code", "")
    if not 0 < len(code) <= MAX_CODE or any(not " " <= character <= "~" for character in code):
        raise LaunchRefused("callback-code")
    return code


def finish_launch(
    provider: Provider,
    configuration: SmartConfiguration,
    request: LaunchRequest,
    params: Mapping[str, str],
    http: OutboundClient,
    now: datetime,
    *,
    keys: IssuerKeys | None = None,
) -> Grant:
    """Exchange the code and check what comes back; the one result is a Grant, or nothing is kept.

    `request` must have been taken from where it was stored, so that it cannot be used again. `keys` remembers the
    issuers' keys between calls. Raises LaunchDenied, LaunchRefused or ProviderUnavailable.
    """
    code = read_callback(provider, configuration, request, params)
    raw = exchange_code(
        provider,
        configuration.token_endpoint,
        http,
        now,
        code=code,
        redirect_uri=request.redirect_uri,
        code_verifier=request.code_verifier,
    )
    answer = read_token_answer(raw, now, refresh=False)
    if answer.id_token is None:
        raise LaunchRefused("id-token-missing")
    identity = (keys or IssuerKeys(http)).verify(
        provider, configuration, answer.id_token, nonce=request.nonce, access_token=answer.access_token, now=now
    )
    role = role_of(identity.fhir_user, fhir_base_url=provider.fhir_base_url, patient=answer.patient)
    return grant_of(answer, identity, role, provider_id=provider.id, fhir_base_url=provider.fhir_base_url)
