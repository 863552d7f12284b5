"""What a provider publishes about its authorization server (SMART-01 to SMART-06)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin

from fhir_bridge.providers import Provider
from fhir_bridge.smart.errors import ProviderUnavailable
from fhir_bridge.smart.waiting import asked_to_wait
from outbound.client import OutboundClient
from outbound.limits import Limits
from vocabulary.errors import PortalError

METADATA_LIMITS = Limits(total_seconds=20.0, max_bytes=512 * 1024)
KEPT_FOR = timedelta(minutes=10)

_PATIENT_SET = ("launch-standalone", "context-standalone-patient", "permission-patient")
_CARE_TEAM_SET = (
    "launch-ehr", "context-ehr-patient", "context-ehr-encounter", "permission-user", "permission-patient",
)  # fmt: skip
_CLIENT_KINDS = ("client-public", "client-confidential-symmetric", "client-confidential-asymmetric")


@dataclass(frozen=True)
class SmartConfiguration:
    """The checked `.well-known/smart-configuration`; addresses are absolute and at the provider's own origins."""

    token_endpoint: str
    authorization_endpoint: str
    capabilities: frozenset[str]
    issuer: str
    jwks_uri: str | None
    revocation_endpoint: str | None = None
    introspection_endpoint: str | None = None
    management_endpoint: str | None = None
    user_access_brand_bundle: str | None = None
    response_names_issuer: bool = False

    def missing_capabilities(self, *, ehr_launch: bool) -> tuple[str, ...]:
        """What this server lacks for a patient's launch, or for a care team's from the chart (SMART-05)."""
        wanted = _CARE_TEAM_SET if ehr_launch else _PATIENT_SET
        missing = [each for each in wanted if each not in self.capabilities]
        if not ehr_launch and not self.capabilities.intersection(_CLIENT_KINDS):
            missing.append("client-*")
        return tuple(missing)


def configuration_url(provider: Provider) -> str:
    """Appended after the whole base, its path included (SMART-01)."""
    return provider.fhir_base_url.rstrip("/") + "/.well-known/smart-configuration"


def read_configuration(provider: Provider, document: object) -> SmartConfiguration:
    """Check the document; ProviderUnavailable names what is missing or points elsewhere (SMART-02, SMART-03)."""
    if not isinstance(document, dict):
        raise ProviderUnavailable("configuration-not-an-object")
    capabilities = _texts(document, "capabilities")
    if "S256" not in _texts(document, "code_challenge_methods_supported"):
        raise ProviderUnavailable("configuration-without-s256")
    if "authorization_code" not in _texts(document, "grant_types_supported"):
        raise ProviderUnavailable("configuration-without-authorization-code")
    if "sso-openid-connect" not in capabilities and provider.issuer is None:
        raise ProviderUnavailable("configuration-without-openid")
    issuer = _issuer(provider, document)
    jwks_uri = _endpoint(provider, document, "jwks_uri")
    if jwks_uri is None and "sso-openid-connect" in capabilities:
        raise ProviderUnavailable("configuration-without-jwks-uri")
    return SmartConfiguration(
        token_endpoint=_required_endpoint(provider, document, "token_endpoint"),
        authorization_endpoint=_required_endpoint(provider, document, "authorization_endpoint"),
        capabilities=frozenset(capabilities),
        issuer=issuer,
        jwks_uri=jwks_uri,
        revocation_endpoint=_endpoint(provider, document, "revocation_endpoint"),
        introspection_endpoint=_endpoint(provider, document, "introspection_endpoint"),
        management_endpoint=_endpoint(provider, document, "management_endpoint"),
        user_access_brand_bundle=_link(provider, document, "user_access_brand_bundle"),
        response_names_issuer=document.get("authorization_response_iss_parameter_supported") is True,
    )


def discover(provider: Provider, http: OutboundClient, now: datetime) -> SmartConfiguration:
    """Fetch and check the configuration; ProviderUnavailable when it cannot be had or used."""
    return read_configuration(provider, fetch_json(http, configuration_url(provider), now))


def fetch_json(
    http: OutboundClient,
    url: str,
    now: datetime,
    *,
    accept: str = "application/json",
    limits: Limits = METADATA_LIMITS,
) -> Any:
    """GET a small JSON document; ProviderUnavailable with the reason when there is none."""
    try:
        response = http.request("GET", url, headers={"Accept": accept}, limits=limits)
        document = response.json() if response.status == 200 else None
    except PortalError as error:
        raise ProviderUnavailable(error.reason) from None
    if response.status != 200:
        raise ProviderUnavailable(f"status-{response.status}", asked_to_wait(response.headers, now))
    return document


class ConfigurationCache:
    """Remembers each provider's configuration for ten minutes; shared by threads."""

    def __init__(self, http: OutboundClient) -> None:
        self._http = http
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[datetime, SmartConfiguration]] = {}

    def configuration(self, provider: Provider, now: datetime) -> SmartConfiguration:
        with self._lock:
            kept = self._kept.get(provider.id)
        if kept is not None and now - kept[0] < KEPT_FOR:
            return kept[1]
        found = discover(provider, self._http, now)
        with self._lock:
            self._kept[provider.id] = (now, found)
        return found


def _issuer(provider: Provider, document: Mapping[str, Any]) -> str:
    published = document.get("issuer")
    if provider.issuer is not None:
        if published is not None and published != provider.issuer:
            raise ProviderUnavailable("configuration-foreign-issuer")
        return provider.issuer
    if not isinstance(published, str) or not provider.owns(published):
        raise ProviderUnavailable("configuration-without-issuer")
    return published


def _required_endpoint(provider: Provider, document: Mapping[str, Any], key: str) -> str:
    found = _endpoint(provider, document, key)
    if found is None:
        raise ProviderUnavailable(f"configuration-without-{key.replace('_', '-')}")
    return found


def _endpoint(provider: Provider, document: Mapping[str, Any], key: str) -> str | None:
    """The absolute address at `key`; a token or code would go there, so a foreign host is an error, not a gap."""
    value = document.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise ProviderUnavailable(f"configuration-bad-{key.replace('_', '-')}")
    url = _absolute(provider, value)
    if not provider.owns(url):
        raise ProviderUnavailable(f"configuration-foreign-{key.replace('_', '-')}")
    return url


def _link(provider: Provider, document: Mapping[str, Any], key: str) -> str | None:
    """As `_endpoint` for what is only shown: left out when it is not the provider's own."""
    value = document.get(key)
    url = _absolute(provider, value) if isinstance(value, str) and value else ""
    return url if url and provider.owns(url) else None


def _absolute(provider: Provider, value: str) -> str:
    """Relative addresses are relative to the FHIR base (SMART-04)."""
    try:
        return urljoin(provider.fhir_base_url.rstrip("/") + "/", value)
    except ValueError:
        return ""


def _texts(document: Mapping[str, Any], key: str) -> list[str]:
    value = document.get(key)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ProviderUnavailable(f"configuration-without-{key.replace('_', '-')}")
    return value
