"""The two wire formats are read into the same event."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.store.wire import Event, NotUnderstood, read_events

SYSTEM = "urn:oid:2.16.840.1.113883.19.5"
LOINC = {"system": "http://loinc.org", "code": "59284-0"}


def consent(version: int, scope: str, status: str, provision: dict[str, Any] | None, policy: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "resourceType": "Consent",
        "id": "c1",
        "meta": {"versionId": str(version)},
        "status": status,
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": scope}]},
        "category": [{"coding": [LOINC]}],
        "patient": {"identifier": {"system": SYSTEM, "value": "A1"}},
        "dateTime": "2026-11-22T01:02:03Z",
        "policyRule": {"coding": [{"code": policy}]},
    }
    if provision is not None:
        made["provision"] = provision
    return made


def bundle(*consents: dict[str, Any], kind: str = "event-notification") -> bytes:
    parameters: list[dict[str, Any]] = [
        {"name": "subscription", "valueReference": {"reference": "Subscription/cancerlinq"}},
        {"name": "topic", "valueCanonical": "https://example.org/topic"},
        {"name": "status", "valueCode": "active"},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": "5"},
    ]
    for number, one in enumerate(consents, start=4):
        parameters.append(
            {
                "name": "notification-event",
                "part": [
                    {"name": "event-number", "valueString": str(number)},
                    {"name": "timestamp", "valueInstant": "2026-11-22T01:02:03Z"},
                    {
                        "name": "focus",
                        "valueReference": {"reference": f"Consent/c1/_history/{one['meta']['versionId']}"},
                    },
                ],
            }
        )
    entries: list[dict[str, Any]] = [{"resource": {"resourceType": "Parameters", "parameter": parameters}}]
    entries += [{"fullUrl": "https://example.org/Consent/c1", "resource": one} for one in reversed(consents)]
    return json.dumps({"resourceType": "Bundle", "type": "history", "entry": entries}).encode()


DENY = {"provision": [{"type": "deny"}]}
PERMIT: dict[str, list[dict[str, Any]]] = {
    "provision": [
        {
            "type": "permit",
            "actor": [{"role": {}, "reference": {"reference": "Organization/living-well"}}],
            "code": [{"coding": [{"code": "therapy"}, {"code": "general"}]}],
        }
    ]
}

WITHOUT_SENSITIVE = {
    "provision": [
        {**PERMIT["provision"][0], "provision": [{"type": "deny", "securityLabel": [{"code": "HIV"}, {"code": "R"}]}]}
    ]
}

MEANINGS = [
    ("research", "active", WITHOUT_SENSITIVE, "OPTOUT", "donation", "yes", "living-well"),
    ("patient-privacy", "active", DENY, "OPTIN", "cancerlinq", "no", None),
    ("patient-privacy", "active", None, "OPTOUT", "cancerlinq", "no", None),
    ("patient-privacy", "inactive", DENY, "OPTIN", "cancerlinq", "yes", None),
    ("patient-privacy", "active", {"provision": [{"type": "permit"}]}, "OPTIN", "cancerlinq", "yes", None),
    ("research", "active", PERMIT, "OPTIN", "donation", "yes", "living-well"),
    ("research", "inactive", PERMIT, "OPTIN", "donation", "no", "living-well"),
    ("research", "rejected", PERMIT, "OPTIN", "donation", "no", "living-well"),
    (
        "research",
        "active",
        {"provision": [*PERMIT["provision"], *DENY["provision"]]},
        "OPTIN",
        "donation",
        "no",
        "living-well",
    ),
]


@pytest.mark.parametrize(("scope", "status", "provision", "policy", "choice", "answer", "effort"), MEANINGS)
def test_consent_is_read_as_the_person_meant_it(
    scope: str, status: str, provision: dict[str, Any] | None, policy: str, choice: str, answer: str, effort: str | None
) -> None:
    """CON-10: deny overrides; what is doubtful is read as no."""
    [event] = read_events("application/fhir+json", bundle(consent(3, scope, status, provision, policy)))
    assert (event.number, event.version, event.choice, event.answer, event.effort) == (4, 3, choice, answer, effort)
    assert (event.system, event.value) == (SYSTEM, "A1")


def test_events_are_matched_to_their_version_by_focus() -> None:
    """SUB-03: the focus names the version, whatever the order of the entries."""
    two = [
        consent(1, "patient-privacy", "active", DENY, "OPTIN"),
        consent(2, "patient-privacy", "inactive", DENY, "OPTIN"),
    ]
    events = read_events("application/fhir+json", bundle(*two))
    assert [(event.number, event.version, event.answer) for event in events] == [(4, 1, "no"), (5, 2, "yes")]


def test_categories_are_read() -> None:
    """CON-05: the categories a person chose are in the permit."""
    [event] = read_events("application/fhir+json", bundle(consent(1, "research", "active", PERMIT, "OPTIN")))
    assert event.categories == ("general", "therapy")


@pytest.mark.parametrize("kind", ["handshake", "heartbeat"])
def test_handshake_and_heartbeat_carry_no_events(kind: str) -> None:
    """SUB-03: the same shape without events."""
    assert read_events("application/fhir+json; charset=utf-8", bundle(kind=kind)) == []


def test_compact_line() -> None:
    """SUB-04: one line per event says the same."""
    text = (
        '{"event":101,"position":5021,"subject":{"system":"s","value":"v"},"version":3,"choice":"donation",'
        '"effort":"living-well","answer":"yes","categories":["general"],"recorded":"2026-11-22T01:02:03Z"}\n'
    )
    assert read_events("application/x-ndjson", text.encode()) == [
        Event(101, "s", "v", 3, "donation", "living-well", "yes", ("general",), "2026-11-22T01:02:03Z")
    ]


GARBAGE = [
    ("text/plain", b"{}"),
    ("application/x-ndjson", b"{"),
    ("application/x-ndjson", b"[]"),
    ("application/x-ndjson", b'{"event":1,"subject":{"value":"v"},"version":1,"choice":"cancerlinq","answer":"maybe"}'),
    ("application/fhir+json", b"[]"),
    ("application/fhir+json", b'{"resourceType":"Bundle","type":"searchset","entry":[]}'),
    ("application/fhir+json", b'{"resourceType":"Bundle","type":"history","entry":[]}'),
    ("application/fhir+json", b"\xff"),
]


@pytest.mark.parametrize(("content_type", "body"), GARBAGE)
def test_garbage_is_not_understood(content_type: str, body: bytes) -> None:
    """SUB-11: a delivery that cannot be read is refused as a whole."""
    with pytest.raises(NotUnderstood):
        read_events(content_type, body)
