"""The same Consent in FHIR R5 (CON-14): for readers that ask for `fhirVersion=5.0`. Pure.

In R5 the root `decision` is the rule and every provision an exception to it, so a nested provision that only repeats
the root says nothing and is left out; `scope` and `policyRule` are gone.
"""

from __future__ import annotations

from typing import Any

from consent.as_fhir import ACT_CODE, POLICY
from vocabulary.resource import Resource

_STATUS = {
    "draft": "draft", "proposed": "draft", "active": "active", "rejected": "not-done", "inactive": "inactive",
    "entered-in-error": "entered-in-error",
}  # fmt: skip
_SAME = ("id", "meta", "category")
_SAME_IN_PROVISION = ("action", "purpose", "securityLabel", "code", "period", "dataPeriod")


def as_r5(consent: Resource) -> Resource:
    """An R4 Consent made by `as_fhir.as_consent`, said in R5. Nothing is lost but `scope`, which category repeats."""
    permits = _permits_by_rule(consent["policyRule"])
    root = consent.get("provision", {})
    exceptions = _exceptions(root, permits)
    found: Resource = {
        "resourceType": "Consent",
        **{name: consent[name] for name in _SAME if name in consent},
        "status": _STATUS[consent["status"]],
        "subject": consent["patient"],
        "date": consent["dateTime"][:10],
        "grantor": consent["performer"],
        "grantee": [actor["reference"] for nested in root.get("provision", []) for actor in nested["actor"]],
        "manager": consent["organization"],
        "policyBasis": {"uri": consent["policy"][0]["uri"]},
        "verification": [_verification(item) for item in consent["verification"]],
        "decision": "permit" if permits else "deny",
    }
    basis = [coding for coding in consent["policyRule"]["coding"] if coding["system"] == POLICY]
    more: dict[str, Any] = {
        "regulatoryBasis": [{"coding": basis}] if basis else None,
        "period": root.get("period"),
        "sourceAttachment": [consent["sourceAttachment"]] if "sourceAttachment" in consent else None,
        "provision": exceptions or None,
    }
    return found | {name: value for name, value in more.items() if value}


def _permits_by_rule(rule: Resource) -> bool:
    """OPTIN: yes unless an exception says no; OPTOUT: the reverse (v3-ActCode)."""
    return any(coding["system"] == ACT_CODE and coding["code"] == "OPTIN" for coding in rule["coding"])


def _exceptions(parent: Resource, permits: bool) -> list[Resource]:
    found = []
    for nested in parent.get("provision", []):
        if (nested["type"] == "permit") == permits:
            continue
        one: Resource = {name: nested[name] for name in _SAME_IN_PROVISION if name in nested}
        if "actor" in nested:
            one["actor"] = nested["actor"]
        if "class" in nested:
            one["resourceType"] = nested["class"]
        inner = _exceptions(nested, not permits)
        found.append(one | ({"provision": inner} if inner else {}))
    return found


def _verification(item: Resource) -> Resource:
    """R5 keeps every date of verification."""
    dates = [item["verificationDate"]] if "verificationDate" in item else []
    return {**item, "verificationDate": dates} if dates else dict(item)
