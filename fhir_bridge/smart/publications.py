"""Fetching everything a server publishes about itself, without a token; nothing here is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from fhir_bridge.providers import Provider
from fhir_bridge.retrieve.offered import read_offered
from fhir_bridge.smart.conformance import Published
from fhir_bridge.smart.discovery import configuration_url, fetch_json
from fhir_bridge.smart.errors import ProviderUnavailable
from outbound.client import OutboundClient
from outbound.limits import Limits

STATEMENT_LIMITS = Limits(total_seconds=60.0, max_bytes=16 * 1024 * 1024)


def fetch_published(provider: Provider, http: OutboundClient, now: datetime) -> Published:
    """What the server of `provider` publishes; what cannot be had is None and named in `problems`. Never raises."""
    problems: dict[str, str] = {}

    def fetched(name: str, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except ProviderUnavailable as error:
            problems[name] = error.reason
            return None

    configuration = fetched("configuration", lambda: fetch_json(http, configuration_url(provider), now))
    issuer = _issuer(provider, configuration)
    openid = keys = None
    if issuer:
        openid = fetched(
            "openid", lambda: fetch_json(http, issuer.rstrip("/") + "/.well-known/openid-configuration", now)
        )
    jwks = _text(openid, "jwks_uri") or _text(configuration, "jwks_uri")
    if jwks:
        keys = fetched("keys", lambda: fetch_json(http, jwks, now))
    address = provider.fhir_base_url.rstrip("/") + "/metadata"
    statement = fetched(
        "metadata",
        lambda: fetch_json(http, address, now, accept="application/fhir+json", limits=STATEMENT_LIMITS),
    )
    return Published(configuration, openid, keys, read_offered(statement) if statement else None, problems)


def _issuer(provider: Provider, configuration: Any) -> str:
    return provider.issuer or _text(configuration, "issuer")


def _text(document: Any, key: str) -> str:
    value = document.get(key) if isinstance(document, dict) else None
    return value if isinstance(value, str) else ""
