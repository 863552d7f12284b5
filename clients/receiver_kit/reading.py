"""Reads a message: a Subscriptions Backport notification Bundle (FHIR R4), or one JSON object a line.

Liberal in reading, strict in obeying: what is not known is passed over, and what cannot be understood is not acted on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

GREETINGS = ("handshake", "heartbeat")


class NotUnderstood(Exception):
    """The message is not one of the two forms: answer 4xx and do nothing."""


@dataclass(frozen=True)
class Event:
    """One decision: `number` in your feed (dense), `system` and `value` as you know the person, the person's `version`,
    the `choice` (`cancerlinq` or `donation`, then of an `effort`) and the `answer` (`yes` or `no`)."""

    number: int
    system: str
    value: str
    version: int
    choice: str
    effort: str
    answer: str


@dataclass(frozen=True)
class Message:
    """What one message says. `announced`: a handshake or heartbeat names the number of the last event given out."""

    events: tuple[Event, ...]
    announced: int | None = None


def read_message(headers: Mapping[str, str], body: bytes) -> Message:
    """The message; NotUnderstood for anything else. `headers` have small letters."""
    kind = headers.get("content-type", "").split(";")[0].strip().lower()
    try:
        if kind == "application/x-ndjson":
            lines = [json.loads(line) for line in body.decode("utf-8").split("\n") if line.strip()]
            greets = headers.get("portal-notification") in GREETINGS
            return Message(tuple(_line(line) for line in lines), int(headers["portal-events"]) if greets else None)
        if kind == "application/fhir+json":
            return read_bundle(json.loads(body))
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise NotUnderstood(type(error).__name__) from None
    raise NotUnderstood("content-type")


def _line(line: Mapping[str, Any]) -> Event:
    return _checked(
        Event(
            number=int(line["event"]),
            system=str(line["subject"]["system"]),
            value=str(line["subject"]["value"]),
            version=int(line["version"]),
            choice=str(line["choice"]),
            effort=str(line.get("effort") or ""),
            answer=str(line["answer"]),
        )
    )


def _checked(event: Event) -> Event:
    if event.choice not in ("cancerlinq", "donation") or event.answer not in ("yes", "no"):
        raise NotUnderstood("choice")
    if event.number < 1 or event.version < 1 or not event.value:
        raise NotUnderstood("event")
    return event


def read_bundle(bundle: Mapping[str, Any]) -> Message:
    """A notification, or the answer to `$events`. An event that has no resource is left out: it comes later."""
    if bundle["resourceType"] != "Bundle" or bundle["type"] != "history":
        raise NotUnderstood("not a history Bundle")
    entries = bundle["entry"]
    status = entries[0]["resource"]
    if status["resourceType"] != "Parameters":
        raise NotUnderstood("the first entry is not Parameters")
    named = {each["name"]: each for each in status["parameter"]}
    if named["type"]["valueCode"] in GREETINGS:
        return Message((), int(named["events-since-subscription-start"]["valueString"]))
    resources = {entry["fullUrl"]: entry["resource"] for entry in entries[1:]}
    parts = [
        {part["name"]: part for part in each["part"]}
        for each in status["parameter"]
        if each["name"] == "notification-event"
    ]
    return Message(tuple(_events(parts, resources)))


def _events(parts: list[dict[str, Any]], resources: Mapping[str, Mapping[str, Any]]) -> Iterator[Event]:
    for part in parts:
        if "focus" in part:
            number = int(part["event-number"]["valueString"])
            yield _checked(_consent(number, resources[part["focus"]["valueReference"]["reference"]]))


def _consent(number: int, consent: Mapping[str, Any]) -> Event:
    """What stands right below the root provision decides; deeper ones only take kinds of data out of a permit."""
    if consent["resourceType"] != "Consent":
        raise NotUnderstood("not a Consent")
    donation = any(coding.get("code") == "research" for coding in consent["scope"]["coding"])
    provisions = (consent.get("provision") or {}).get("provision") or []
    types = {provision.get("type") for provision in provisions}
    identifier = consent["patient"]["identifier"]
    return Event(
        number=number,
        system=str(identifier["system"]),
        value=str(identifier["value"]),
        version=int(consent["meta"]["versionId"]),
        choice="donation" if donation else "cancerlinq",
        effort=_effort(provisions) if donation else "",
        answer="yes" if consent["status"] == "active" and types == {"permit"} else "no",
    )


def _effort(provisions: list[Mapping[str, Any]]) -> str:
    for provision in provisions:
        for actor in provision.get("actor") or []:
            if value := (actor["reference"].get("identifier") or {}).get("value"):
                return str(value)
    raise NotUnderstood("no effort")
