"""Telling the provider that we give a token back (SMART-49, RFC 7009)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import requests

from fhir_bridge.providers import Provider
from fhir_bridge.smart.discovery import SmartConfiguration
from fhir_bridge.smart.token_request import client_session
from outbound.client import OutboundClient
from vocabulary.errors import PortalError


def revoke(
    provider: Provider,
    configuration: SmartConfiguration,
    http: OutboundClient,
    now: datetime,
    *,
    token: str,
    hint: Literal["access_token", "refresh_token"] = "refresh_token",
) -> bool:
    """Has the provider confirmed? Never raises: the caller deletes its own copy whatever the answer."""
    endpoint = configuration.revocation_endpoint
    if endpoint is None:
        return False
    session = client_session(provider, endpoint, http, now)
    try:
        response = session.revoke_token(endpoint, token=token, token_type_hint=hint)
    except (PortalError, requests.RequestException, ValueError):
        return False
    return bool(response.status_code == 200)
