"""The list of uses as a FHIR R4 Bundle of AuditEvents, for other software (HIP-25, CON-13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from consent.audit import as_audit_event
from consent.uses import Use
from vocabulary.resource import Resource

_EVENT_SYSTEM = "https://patient-portal.example/fhir/CodeSystem/audit-event"
_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_REASONS: Mapping[str, str] = {
    "care-team": "TREAT",
    "family": "FAMRQT",
    "staff": "HOPERAT",
    "research": "HRESCH",
    "store": "PATRQT",
    "program": "PATRQT",
    "person": "PATRQT",
}


def as_bundle(uses: Sequence[Use], names: Mapping[object, str], now: datetime) -> Resource:
    """A `collection`; `names` by the key of a use, for the agent's name where it has one."""
    entries = [_event(use, names.get(use.key, "")) for use in uses]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": _instant(now),
        "entry": [{"fullUrl": f"urn:patient-portal:audit-event:{e['id']}", "resource": e} for e in entries],
    }


def _event(use: Use, name: str) -> Resource:
    made = as_audit_event(use.row) if use.row is not None else _signed(use)
    made["purposeOfEvent"] = [{"coding": [{"system": _REASON, "code": _REASONS[use.by.value]}]}]
    if name:
        made["agent"][0]["name"] = name
    return made


def _signed(use: Use) -> Resource:
    """What a store signed about a decision: it was told (`use.position` is the decision's place) and answered."""
    return {
        "resourceType": "AuditEvent",
        "id": f"receipt-{use.id}",
        "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"},
        "subtype": [{"system": _EVENT_SYSTEM, "code": use.event}],
        "action": "U",
        "recorded": _instant(use.at),
        "outcome": "0",
        "outcomeDesc": str(use.detail.get("state", "")) or "accepted",
        "agent": [{"type": {"text": "store"}, "who": {"identifier": {"value": use.who}}, "requestor": False}],
        "source": {"observer": {"display": "patient portal"}},
    }


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
