"""A hospital to be: what can be told from what it publishes, its block in providers.toml, what to register there."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from fhir_bridge.providers import Provider
from fhir_bridge.retrieve.offered import Offered
from fhir_bridge.retrieve.plan import EXTRA_TYPES, REFERENCED_TYPES
from fhir_bridge.smart.conformance import Published
from fhir_bridge.smart.scopes import CLINICAL_TYPES, scopes_for
from outbound.destinations import destination

_BEST_FIRST = (
    ("private_key_jwt", "client-confidential-asymmetric"),
    ("client_secret_basic", "client-confidential-symmetric"),
    ("public", "client-public"),
)


@dataclass(frozen=True)
class Proposal:
    """What an operator says of a hospital; empty parts are told from what it publishes."""

    fhir_base_url: str
    private: bool
    provider_id: str | None = None
    name: str | None = None
    state: str = ""
    client_id: str = "portal"
    client_auth: str | None = None
    origins: tuple[str, ...] = ()
    care_team: bool = False


def propose(wanted: Proposal, published: Published | None) -> Provider:
    """The provider as it would stand in the file. OutboundRefused or ValueError when the address cannot be used."""
    parts = urlsplit(wanted.fhir_base_url)
    destination(wanted.fhir_base_url, private=wanted.private)
    host = parts.hostname or ""
    document = published.configuration if published and isinstance(published.configuration, dict) else {}
    provider = Provider(
        id=wanted.provider_id or _identifier(host, parts.port),
        name=wanted.name or host,
        state=wanted.state,
        fhir_base_url=wanted.fhir_base_url,
        client_id=wanted.client_id,
        client_auth=wanted.client_auth or _client_auth(document),
        scopes=scopes_for(_types(published.offered if published else None), offline=_offline(document)),
        origins=tuple(wanted.origins),
        care_team=wanted.care_team,
        private=wanted.private,
    )
    issuer = document.get("issuer")
    if isinstance(issuer, str) and any(_same_host(issuer, each) for each in provider.origins):
        return replace(provider, issuer=issuer)
    return provider


def block_of(provider: Provider) -> str:
    """The provider's block for providers.toml, with what is still to be filled in named in comments."""
    secret = {
        "private_key_jwt": f'private_key = "file:keys/{provider.id}.json"   # `portal providers keys` makes it',
        "client_secret_basic": f'client_secret = "env:{_variable(provider.id)}"   # as the hospital gives it',
    }.get(provider.client_auth)
    lines = [
        "[[provider]]", f"id = {_toml(provider.id)}", f"name = {_toml(provider.name)}",
        f"state = {_toml(provider.state)}" if provider.state else None,
        f"fhir_base_url = {_toml(provider.fhir_base_url)}",
        f"issuer = {_toml(provider.issuer)}" if provider.issuer else None,
        f"origins = [{', '.join(map(_toml, provider.origins))}]" if provider.origins else None,
        f"client_id = {_toml(provider.client_id)}", f"client_auth = {_toml(provider.client_auth)}", secret,
        f"scopes = {_toml(provider.scopes)}", "care_team = true" if provider.care_team else None,
        'network = "private"' if provider.private else None,
        '# practice = "…", identifier_system = "…": whose record numbers these are, for the data stores',
    ]  # fmt: skip
    return "\n".join(line for line in lines if line) + "\n"


def to_register(provider: Provider, portal: str) -> list[tuple[str, str]]:
    """What the hospital has to be told about us, by name."""
    rows = [
        ("redirect address", f"{portal}/callback/{provider.id}"),
        ("client type", provider.client_auth),
        ("scopes", provider.scopes),
        ("grant types", "authorization_code, refresh_token"),
    ]
    if provider.client_auth == "private_key_jwt":
        rows.insert(2, ("key set (JWKS)", f"{portal}/.well-known/jwks.json"))
    if provider.care_team:
        rows.insert(1, ("launch address", f"{portal}/launch"))
    return rows


def _types(offered: Offered | None) -> tuple[str, ...]:
    """The types to ask for: those of US Core and the cancer extras that the server knows; all when it does not say."""
    if offered is None or not offered.types:
        return CLINICAL_TYPES
    known = (*CLINICAL_TYPES, *(name for name in EXTRA_TYPES if name not in CLINICAL_TYPES))
    return tuple(
        name for name in known if name in offered.types or (name in REFERENCED_TYPES and name in offered.types)
    )


def _client_auth(document: dict[str, Any]) -> str:
    offered = {str(each) for each in (document.get("capabilities") or []) if isinstance(each, str)}
    return next((method for method, capability in _BEST_FIRST if capability in offered), "private_key_jwt")


def _offline(document: dict[str, Any]) -> bool:
    return "permission-offline" in (document.get("capabilities") or ["permission-offline"])


def _identifier(host: str, port: int | None) -> str:
    labels = [each for each in host.split(".") if each not in ("www", "fhir", "api")]
    words = "-".join(labels[:-1] or labels) + (f"-{port}" if port else "")
    return re.sub(r"[^a-z0-9-]+", "-", words.lower()).strip("-")[:40] or "hospital"


def _same_host(one: str, other: str) -> bool:
    return urlsplit(one).netloc == urlsplit(other).netloc


def _variable(identifier: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", f"{identifier}_SECRET".upper())


def _toml(text: str) -> str:
    """A basic TOML string; control characters cannot stand in one."""
    plain = "".join(each for each in text if each.isprintable())
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
