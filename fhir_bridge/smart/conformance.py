"""What a hospital's server says of itself, held against what SMART asks of servers and what we need (SMART-01…06).

Pure: documents in, findings out. `portal providers add` and `portal providers test` print them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fhir_bridge.providers import Provider
from fhir_bridge.retrieve.offered import Offered
from fhir_bridge.retrieve.plan import CORE_TYPES
from fhir_bridge.smart.discovery import SmartConfiguration, read_configuration
from fhir_bridge.smart.errors import ProviderUnavailable


class Verdict(StrEnum):
    """MISSING keeps people from signing in; LACKING costs something that is said; UNKNOWN could not be looked at."""

    OK = "ok"
    LACKING = "lacking"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One requirement, what was found, and what to do about it (empty when nothing)."""

    id: str
    verdict: Verdict
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Published:
    """Everything a server publishes, as fetched; None for what could not be had, with why in `problems` by name."""

    configuration: Any
    openid: Any
    keys: Any
    offered: Offered | None
    problems: Mapping[str, str]


def examine(provider: Provider, published: Published) -> tuple[Finding, ...]:
    """Every finding, in the order of the requirements."""
    document = published.configuration if isinstance(published.configuration, dict) else {}
    try:
        configuration: SmartConfiguration | None = read_configuration(provider, published.configuration)
        refused = ""
    except ProviderUnavailable as error:
        configuration, refused = None, error.reason
    checks: tuple[Callable[..., Iterator[Finding]], ...] = (
        _discovery, _keys_of_the_document, _pkce, _capability_sets, _extras, _scopes, _clients, _identity, _fhir,
    )  # fmt: skip
    asked = _Asked(provider, published, document, configuration, refused)
    return tuple(finding for check in checks for finding in check(asked))


@dataclass(frozen=True)
class _Asked:
    provider: Provider
    published: Published
    document: Mapping[str, Any]
    configuration: SmartConfiguration | None
    refused: str

    def listed(self, key: str) -> list[str]:
        value = self.document.get(key)
        return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []

    @property
    def capabilities(self) -> list[str]:
        return self.listed("capabilities")


def _finding(id_: str, good: bool, found: str, remedy: str, *, otherwise: Verdict = Verdict.MISSING) -> Finding:
    return Finding(id_, Verdict.OK if good else otherwise, found, "" if good else remedy)


def _discovery(asked: _Asked) -> Iterator[Finding]:
    problem = asked.published.problems.get("configuration", "")
    found = "smart-configuration is published" if asked.document else f"no smart-configuration ({problem})"
    if not asked.document and asked.published.offered and asked.published.offered.oauth_uris:
        found += "; its CapabilityStatement names endpoints (oauth-uris), as before SMART 2, but no PKCE and no scopes"
    yield _finding(
        "SMART-01", bool(asked.document), found,
        "Ask the hospital for {FHIR base}/.well-known/smart-configuration; check that the base is exact.",
    )  # fmt: skip


def _keys_of_the_document(asked: _Asked) -> Iterator[Finding]:
    if not asked.document:
        return
    wanted = ["token_endpoint", "grant_types_supported", "capabilities", "code_challenge_methods_supported",
              "authorization_endpoint"]  # fmt: skip
    wanted += ["issuer", "jwks_uri"] if "sso-openid-connect" in asked.capabilities else []
    lacking = [key for key in wanted if key not in asked.document]
    found = f"lacks {', '.join(lacking)}" if lacking else "every required key"
    usable = asked.configuration is not None
    if not lacking and not usable:
        found = f"cannot be used: {asked.refused}"
    remedy = "The hospital has to publish them."
    if asked.refused.startswith("configuration-foreign-"):
        remedy = 'Endpoints are on another host: name it in `origins = ["https://…"]` (or `issuer`), once it is known'
        remedy += " to be the hospital's."
    yield _finding("SMART-02", not lacking and usable, found, remedy)
    relative = [key for key, value in asked.document.items()
                if key.endswith("_endpoint") and isinstance(value, str) and "://" not in value]  # fmt: skip
    yield Finding("SMART-04", Verdict.OK, f"relative, resolved: {', '.join(relative)}" if relative else "absolute")


def _pkce(asked: _Asked) -> Iterator[Finding]:
    if not asked.document:
        return
    methods = asked.listed("code_challenge_methods_supported")
    remedy = "Without PKCE S256 nobody is sent there. Ask the hospital to turn it on."
    yield _finding("SMART-03", "S256" in methods, ", ".join(methods) or "none", remedy)
    if "plain" in methods:
        yield Finding("SMART-03", Verdict.LACKING, "lists plain too", "Servers shall not; tell the hospital.")


def _capability_sets(asked: _Asked) -> Iterator[Finding]:
    if asked.configuration is None:
        return
    for ehr_launch, who in ((False, "patients"), (True, "the care team")):
        if ehr_launch and not asked.provider.care_team:
            continue
        missing = asked.configuration.missing_capabilities(ehr_launch=ehr_launch)
        needed = ("launch-ehr" if ehr_launch else "launch-standalone") in missing
        yield _finding(
            "SMART-05", not missing, f"for {who}: " + (f"lacks {', '.join(missing)}" if missing else "complete"),
            "Set care_team = false, or ask for them." if ehr_launch else "Ask the hospital for them.",
            otherwise=Verdict.MISSING if needed else Verdict.LACKING,
        )  # fmt: skip


def _extras(asked: _Asked) -> Iterator[Finding]:
    if asked.configuration is None:
        return
    found = asked.configuration
    for name, address, cost in (
        ("revocation_endpoint", found.revocation_endpoint, "Disconnecting cannot be told to the hospital."),
        ("management_endpoint", found.management_endpoint, "People get no link to manage apps at the hospital."),
        ("introspection_endpoint", found.introspection_endpoint, ""),
        ("user_access_brand_bundle", found.user_access_brand_bundle, "Its places are not found by name in the picker."),
    ):
        id_ = "SMART-49" if name == "revocation_endpoint" else "SMART-06"
        good = address is not None or not cost
        yield _finding(id_, good, f"{name}: {'yes' if address else 'no'}", cost, otherwise=Verdict.LACKING)
    named = "says that its answers name the issuer" if found.response_names_issuer else "answers need not name it"
    yield Finding("SMART-15", Verdict.OK, named)


def _scopes(asked: _Asked) -> Iterator[Finding]:
    if not asked.document:
        return
    versions = [each for each in ("permission-v2", "permission-v1") if each in asked.capabilities]
    yield _finding(
        "SMART-31", bool(versions), ", ".join(versions) or "names neither version of scopes",
        "Version 2 is asked for. Ask the hospital which it knows.", otherwise=Verdict.LACKING,
    )  # fmt: skip
    yield _finding(
        "SMART-36", "permission-offline" in asked.capabilities, "offline access " + (
            "is offered" if "permission-offline" in asked.capabilities else "is not offered"),
        "Records are brought up to date only when people sign in.", otherwise=Verdict.LACKING,
    )  # fmt: skip


def _clients(asked: _Asked) -> Iterator[Finding]:
    if not asked.document:
        return
    kind = {"private_key_jwt": "client-confidential-asymmetric", "client_secret_basic": "client-confidential-symmetric",
            "public": "client-public"}[asked.provider.client_auth]  # fmt: skip
    id_ = {"private_key_jwt": "SMART-42", "client_secret_basic": "SMART-41", "public": "SMART-40"}
    methods = asked.listed("token_endpoint_auth_methods_supported")
    good = kind in asked.capabilities or asked.provider.client_auth in methods
    offered = [each for each in asked.capabilities if each.startswith("client-")]
    yield _finding(
        id_[asked.provider.client_auth], good, f"ours is {asked.provider.client_auth}; it offers "
        f"{', '.join([*offered, *methods]) or 'none'}", "Choose a client_auth that the hospital offers.",
        otherwise=Verdict.LACKING,
    )  # fmt: skip
    if asked.provider.client_keys is not None:
        algs = asked.listed("token_endpoint_auth_signing_alg_values_supported")
        ours = asked.provider.client_keys.signing.alg
        good = not algs or ours in algs
        yield _finding(
            "SMART-42", good, f"ours signs with {ours}; it takes {', '.join(algs) or 'unsaid'}",
            f"Make a key that it takes: `portal providers keys FILE --alg {algs[0] if algs else 'RS384'}`.",
        )  # fmt: skip


def _identity(asked: _Asked) -> Iterator[Finding]:
    if asked.configuration is None:
        return
    openid = asked.published.openid
    if not isinstance(openid, dict):
        why = asked.published.problems.get("openid", "")
        good = asked.configuration.jwks_uri is not None and why == "status-404"
        yield _finding("SMART-60", good, f"no openid-configuration at the issuer ({why})", "Check `issuer`.")
    else:
        same = openid.get("issuer") == asked.configuration.issuer
        yield _finding("SMART-60", same, f"issuer {'agrees' if same else 'differs'}", "Set `issuer` to the exact one.")
    keys = asked.published.keys.get("keys") if isinstance(asked.published.keys, dict) else None
    algs = sorted({str(key.get("alg", key.get("kty"))) for key in keys or [] if isinstance(key, dict)})
    yield _finding(
        "SMART-60", bool(keys), f"keys: {', '.join(algs)}" if keys else
        f"no keys ({asked.published.problems.get('keys', 'none published')})", "Nobody can be recognised without keys.",
    )  # fmt: skip


def _fhir(asked: _Asked) -> Iterator[Finding]:
    offered = asked.published.offered
    if offered is None or not offered.types:
        why = asked.published.problems.get("metadata", "names no types")
        yield Finding("FHIR-01", Verdict.UNKNOWN, f"CapabilityStatement: {why}", "Types are found out by asking.")
        return
    version = offered.fhir_version or "unsaid"
    remedy = "Records are read as FHIR R4."
    unsaid = "Less is known of where data came from."
    yield _finding("FHIR-01", version.startswith("4.0"), f"FHIR {version}", remedy, otherwise=Verdict.LACKING)
    lacking = [name for name in ("Patient", *CORE_TYPES) if name not in offered.types]
    found = f"does not offer {', '.join(lacking)}" if lacking else "every US Core type"
    yield _finding("FHIR-01", not lacking, found, "People are told so.", otherwise=Verdict.LACKING)
    some = len(offered.revincluding)
    yield _finding(
        "FHIR-08", bool(some), f"_revinclude=Provenance:target for {some} types", unsaid,
        otherwise=Verdict.LACKING,
    )  # fmt: skip
