"""The keys an issuer publishes, fetched once, kept, and fetched again once when a kid is unknown (SMART-60)."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from fhir_bridge.providers import Provider
from fhir_bridge.smart.discovery import SmartConfiguration, fetch_json
from fhir_bridge.smart.errors import LaunchRefused, ProviderUnavailable
from fhir_bridge.smart.identity import Expectation, Identity, KeyNotFound, verify_id_token
from outbound.client import OutboundClient

KEPT_FOR = timedelta(hours=1)
FETCH_PAUSE = timedelta(seconds=5)
MAX_KEYS = 100


@dataclass(frozen=True)
class _Kept:
    fetched: datetime
    keys: tuple[object, ...]


class IssuerKeys:
    """One per process, shared by threads. Keys of one provider never verify another's tokens."""

    def __init__(self, http: OutboundClient) -> None:
        self._http = http
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}

    def verify(
        self,
        provider: Provider,
        configuration: SmartConfiguration,
        token: str,
        *,
        nonce: str | None,
        access_token: str | None,
        now: datetime,
    ) -> Identity:
        """The identity in `token`; LaunchRefused when anything is wrong, ProviderUnavailable without keys."""
        expected = Expectation(
            issuer=configuration.issuer,
            client_id=provider.client_id,
            algorithms=provider.id_token_algs,
            nonce=nonce,
            access_token=access_token,
        )
        kept = self._kept_for(provider)
        if kept is None or now - kept.fetched > KEPT_FOR:
            kept = self._fetch(provider, configuration, now)
        try:
            return verify_id_token(token, kept.keys, expected, now)
        except KeyNotFound:
            if now - kept.fetched < FETCH_PAUSE:  # just fetched: a flood of invented kids makes no flood of requests
                raise
        return verify_id_token(token, self._fetch(provider, configuration, now).keys, expected, now)

    def _kept_for(self, provider: Provider) -> _Kept | None:
        with self._lock:
            return self._kept.get(provider.id)

    def _fetch(self, provider: Provider, configuration: SmartConfiguration, now: datetime) -> _Kept:
        document = fetch_json(self._http, _keys_url(provider, configuration, self._http, now), now)
        keys = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(keys, list) or len(keys) > MAX_KEYS:
            raise ProviderUnavailable("keys-not-readable")
        kept = _Kept(now, tuple(keys))
        with self._lock:
            self._kept[provider.id] = kept
        return kept


def _keys_url(provider: Provider, configuration: SmartConfiguration, http: OutboundClient, now: datetime) -> str:
    """From the issuer's openid-configuration; from the SMART configuration when the issuer publishes no other."""
    try:
        document = fetch_json(http, configuration.issuer.rstrip("/") + "/.well-known/openid-configuration", now)
    except ProviderUnavailable as error:
        if error.reason != "status-404" or configuration.jwks_uri is None:
            raise
        return configuration.jwks_uri
    if not isinstance(document, dict) or document.get("issuer") != configuration.issuer:
        raise LaunchRefused("openid-configuration-iss")
    url = document.get("jwks_uri")
    if not isinstance(url, str) or not provider.owns(url):
        raise LaunchRefused("openid-configuration-jwks-uri")
    return url
