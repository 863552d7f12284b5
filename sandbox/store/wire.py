"""Reads what the portal sends: a Subscriptions R5 Backport notification Bundle, or one compact JSON line per event.

A store is liberal in reading and strict in obeying: what cannot be understood is not acted on, and what is
doubtful is read as "no".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Answer = Literal["yes", "no"]
CATEGORIES = ("general", "clinical", "therapy")


class NotUnderstood(Exception):
    """The body is not one of the two formats."""


@dataclass(frozen=True)
class Event:
    """One decision of one person: `number` in this store's feed, `version` per person (Consent.meta.versionId)."""

    number: int
    system: str
    value: str
    version: int
    choice: str
    effort: str | None
    answer: Answer
    categories: tuple[str, ...]
    recorded: str


def read_events(content_type: str, body: bytes) -> list[Event]:
    """The events of one delivery, in order; an empty list for a handshake or heartbeat."""
    kind = content_type.split(";")[0].strip().lower()
    try:
        if kind == "application/x-ndjson":
            return [_compact(json.loads(line)) for line in body.decode("utf-8").splitlines() if line.strip()]
        if kind in ("application/fhir+json", "application/json"):
            return list(_backport(json.loads(body)))
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise NotUnderstood(f"cannot read the delivery: {type(error).__name__}") from None
    raise NotUnderstood("content type is neither application/fhir+json nor application/x-ndjson")


def _compact(line: dict[str, Any]) -> Event:
    answer = line["answer"]
    if answer not in ("yes", "no") or line["choice"] not in ("cancerlinq", "donation"):
        raise NotUnderstood("unknown answer or choice")
    return Event(
        number=int(line["event"]),
        system=str(line["subject"].get("system") or ""),
        value=str(line["subject"]["value"]),
        version=int(line["version"]),
        choice=line["choice"],
        effort=line.get("effort"),
        answer=answer,
        categories=tuple(line.get("categories") or ()),
        recorded=str(line.get("recorded") or ""),
    )


def _backport(bundle: dict[str, Any]) -> Iterator[Event]:
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "history":
        raise NotUnderstood("not a history Bundle")
    entries = bundle["entry"]
    status = entries[0]["resource"]
    if status.get("resourceType") != "Parameters":
        raise NotUnderstood("the first entry is not Parameters")
    named = {p["name"]: p for p in status["parameter"] if p["name"] != "notification-event"}
    if _value(named["type"]) in ("handshake", "heartbeat"):
        return
    told = [
        {part["name"]: part for part in p["part"]} for p in status["parameter"] if p["name"] == "notification-event"
    ]
    consents = [entry for entry in entries[1:] if entry.get("resource", {}).get("resourceType") == "Consent"]
    if len(told) != len(consents):
        raise NotUnderstood("the number of events and of resources differs")
    for index, parts in enumerate(told):
        number = int(str(_value(parts["event-number"])))
        yield _from_consent(number, _focus(parts, consents, index))


def _focus(parts: dict[str, Any], consents: list[dict[str, Any]], index: int) -> dict[str, Any]:
    """The Consent of one event: by its focus reference, else by place."""
    wanted = str(parts.get("focus", {}).get("valueReference", {}).get("reference", ""))
    matching = [
        entry["resource"]
        for entry in consents
        if wanted and wanted in (entry.get("fullUrl"), _versioned(entry["resource"]))
    ]
    found: dict[str, Any] = matching[0] if len(matching) == 1 else consents[index]["resource"]
    return found


def _versioned(resource: dict[str, Any]) -> str:
    return f"Consent/{resource.get('id')}/_history/{resource.get('meta', {}).get('versionId')}"


def _value(parameter: dict[str, Any]) -> Any:
    for key, value in parameter.items():
        if key.startswith("value"):
            return value
    raise NotUnderstood(f"parameter {parameter.get('name')} has no value")


def _from_consent(number: int, consent: dict[str, Any]) -> Event:
    scope = {coding.get("code") for coding in consent["scope"]["coding"]}
    choice = "donation" if "research" in scope else "cancerlinq"
    identifier = consent["patient"]["identifier"]
    # The provisions right below the root decide; what is nested deeper only takes kinds of data out of a permit.
    nested = list((consent.get("provision") or {}).get("provision") or [])
    return Event(
        number=number,
        system=str(identifier.get("system") or ""),
        value=str(identifier["value"]),
        version=int(consent["meta"]["versionId"]),
        choice=choice,
        effort=_effort(nested) if choice == "donation" else None,
        answer=_answer(consent, choice, [provision.get("type") for provision in nested]),
        categories=tuple(name for name in CATEGORIES if name in set(_codes(nested))),
        recorded=str(consent.get("dateTime") or ""),
    )


def _answer(consent: dict[str, Any], choice: str, types: list[str | None]) -> Answer:
    """Deny overrides. A donation needs an active permit; an opt-out stands until it is plainly no longer active."""
    status = consent.get("status")
    if choice == "donation":
        return "yes" if status == "active" and "permit" in types and "deny" not in types else "no"
    if "deny" in types and status == "active":
        return "no"
    policy = {coding.get("code") for coding in (consent.get("policyRule") or {}).get("coding", [])}
    lifted = status in ("inactive", "entered-in-error") or "permit" in types or (not types and "OPTIN" in policy)
    return "yes" if lifted else "no"


def _effort(provisions: list[dict[str, Any]]) -> str | None:
    for provision in provisions:
        for actor in provision.get("actor") or []:
            reference = actor.get("reference") or {}
            if value := (reference.get("identifier") or {}).get("value"):
                return str(value)
            if "/" in str(reference.get("reference", "")):
                return str(reference["reference"]).rsplit("/", 1)[1]
    return None


def _codes(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("code"), str):
            yield node["code"]
        for value in node.values():
            yield from _codes(value)
    elif isinstance(node, list):
        for value in node:
            yield from _codes(value)
