"""Our own checks of a FHIR R4 Consent (CON-01, 02, 06, 07): models and validators check structure only (LIB-04)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consent.as_fhir import ACT_CODE, POLICY
from vocabulary.errors import Conflict
from vocabulary.resource import Resource

STATUSES = ("draft", "proposed", "active", "rejected", "inactive", "entered-in-error")
SCOPES = ("adr", "research", "patient-privacy", "treatment")
MOVES: Mapping[str, tuple[str, ...]] = {
    "draft": ("proposed",),
    "proposed": ("active", "rejected"),
    "active": ("inactive",),
    "rejected": (),
    "inactive": (),
    "entered-in-error": (),
}
KNOWN_RULES = {(ACT_CODE, "OPTIN"), (ACT_CODE, "OPTOUT"), (POLICY, "hipaa-auth"), (POLICY, "hipaa-research")}


@dataclass(frozen=True)
class Problem:
    """One thing wrong: the FHIRPath-like place, a stable code, and the requirement it breaks."""

    where: str
    code: str
    rule: str


def check_consent(resource: Resource) -> list[Problem]:
    """Every problem of this Consent; an empty list means that it may be stored (else 422 and OperationOutcome)."""
    if resource.get("resourceType") != "Consent":
        return [Problem("Consent", "not-a-consent", "CON-01")]
    return [*_required(resource), *_policy(resource), *_root(resource), *_verification(resource)]


def _required(resource: Resource) -> Iterator[Problem]:
    if resource.get("status") not in STATUSES:
        yield Problem("Consent.status", "unknown-status", "CON-07")
    codes = _codes(resource.get("scope"))
    if not codes:
        yield Problem("Consent.scope", "missing", "CON-01")
    elif not codes & set(SCOPES):
        yield Problem("Consent.scope", "unknown-scope", "CON-01")
    categories = resource.get("category")
    if not isinstance(categories, list) or not categories or not all(_codes(item) for item in categories):
        yield Problem("Consent.category", "missing", "CON-01")
    patient = resource.get("patient")
    if not isinstance(patient, dict) or not (patient.get("reference") or patient.get("identifier")):
        yield Problem("Consent.patient", "missing", "CON-01")
    if not isinstance(resource.get("dateTime"), str):
        yield Problem("Consent.dateTime", "missing", "CON-03")
    if not resource.get("performer"):
        yield Problem("Consent.performer", "missing", "CON-03")


def _policy(resource: Resource) -> Iterator[Problem]:
    rule = resource.get("policyRule")
    policies = resource.get("policy")
    named = isinstance(policies, list) and any(isinstance(p, dict) and p.get("uri") for p in policies)
    if not named and not _pairs(rule):
        yield Problem("Consent.policy", "missing", "CON-01")
    if _pairs(rule) and not _pairs(rule) & KNOWN_RULES:
        yield Problem("Consent.policyRule", "unknown-policy", "CON-10")
    if "research" in _codes(resource.get("scope")) and not named:
        yield Problem("Consent.policy", "no-versioned-text", "CON-03")


def _root(resource: Resource) -> Iterator[Problem]:
    root = resource.get("provision")
    if root is None:
        return
    if not isinstance(root, dict):
        yield Problem("Consent.provision", "not-an-object", "CON-02")
        return
    if "type" in root:
        yield Problem("Consent.provision.type", "not-permitted-in-the-root", "CON-02")
    yield from _nested(root, "Consent.provision")


def _nested(parent: Mapping[str, Any], where: str, depth: int = 0) -> Iterator[Problem]:
    nested = parent.get("provision", [])
    if not isinstance(nested, list) or depth > 5:
        yield Problem(f"{where}.provision", "not-a-list" if depth <= 5 else "too-deep", "CON-02")
        return
    for number, provision in enumerate(nested):
        here = f"{where}.provision[{number}]"
        if not isinstance(provision, dict):
            yield Problem(here, "not-an-object", "CON-02")
            continue
        if provision.get("type") not in ("permit", "deny"):
            yield Problem(f"{here}.type", "required-in-nested", "CON-02")
        if depth == 0 and provision.get("type") == "permit" and not provision.get("actor"):
            yield Problem(f"{here}.actor", "permit-names-nobody", "CON-05")
        yield from _nested(provision, here, depth + 1)


def _verification(resource: Resource) -> Iterator[Problem]:
    for number, item in enumerate(_list(resource.get("verification"))):
        if not isinstance(item, dict) or not isinstance(item.get("verified"), bool):
            yield Problem(f"Consent.verification[{number}].verified", "missing", "CON-11")


def check_move(before: str, after: str, *, staff_reason: str | None = None) -> None:
    """Refuse an illegal change of status with Conflict (409): inactive is never active again (CON-07)."""
    if after == "entered-in-error" and before in STATUSES and before != after:
        if not staff_reason:
            raise Conflict("entered-in-error-needs-staff-and-reason")
        return
    if after not in MOVES.get(before, ()):
        raise Conflict("illegal-status-move")


def _codes(concept: object) -> set[str]:
    return {code for _, code in _pairs(concept)}


def _pairs(concept: object) -> set[tuple[str, str]]:
    if not isinstance(concept, dict):
        return set()
    return {
        (str(coding.get("system")), str(coding["code"]))
        for coding in _list(concept.get("coding"))
        if isinstance(coding, dict) and coding.get("code")
    }


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else []
