"""What goes over the wire to a store: a Backport notification Bundle (SUB-03, SUB-04), or compact NDJSON lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson

from consent.as_fhir import as_consent
from consent.decision import Answer, Choice, Decision, Subject
from consent.store_config import Store, Transport
from vocabulary.resource import Resource

CANONICAL = "https://patient-portal.example/fhir"
TOPIC = f"{CANONICAL}/SubscriptionTopic/decision"
PROFILE = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-status-r4"
Type = Literal["handshake", "heartbeat", "event-notification", "query-status", "query-event"]
Content = Literal["empty", "id-only", "full-resource"]


@dataclass(frozen=True)
class StoreEvent:
    """One thing one store is told: its dense event `number`, and who is meant in the store's own words.

    `answer` is what holds for this store (see `coverage.told_answer`); `subject` differs from the decision's where
    an opt-out of CancerLinQ ends a donation fed by it. `value` is "" while the person's name there cannot be opened:
    such an event is never sent.
    """

    number: int
    position: int
    system: str
    value: str
    subject: Subject
    answer: Answer
    decision: Decision

    @property
    def is_readable(self) -> bool:
        return self.value != ""

    @property
    def person_id(self) -> UUID:
        return self.decision.person_id

    @property
    def version(self) -> int:
        return self.decision.version


def subscription_id(store_id: str) -> str:
    """A stable logical id for the store's subscription."""
    return str(uuid5(NAMESPACE_URL, f"{CANONICAL}/Subscription/{store_id}"))


def message(store: Store, events: Sequence[StoreEvent]) -> tuple[str, bytes]:
    """Content type and body of one delivery. The same events give the same bytes: a retry repeats them exactly."""
    if store.transport is Transport.NDJSON:
        return "application/x-ndjson", b"".join(orjson.dumps(_line(event)) + b"\n" for event in events)
    return "application/fhir+json", orjson.dumps(bundle(store, events, "event-notification"))


def _line(event: StoreEvent) -> dict[str, object]:
    decision = event.decision
    given = event.answer is Answer.YES and event.subject.choice is Choice.DONATION
    return {
        "event": event.number,
        "position": event.position,
        "subject": {"system": event.system, "value": event.value},
        "version": decision.version,
        "choice": event.subject.choice.value,
        "effort": event.subject.effort,
        "answer": event.answer.value,
        "categories": sorted(item.value for item in decision.categories) if given else [],
        "recorded": instant(decision.recorded_at),
    }


def bundle(
    store: Store,
    events: Sequence[StoreEvent],
    kind: Type,
    since_start: int | None = None,
    *,
    content: Content = "full-resource",
) -> Resource:
    """The R4 notification Bundle (type `history`); without events a handshake or heartbeat (SUB-03).

    `since_start`: `events-since-subscription-start`; by default the number of the last event. `content` (SUB-04):
    `empty` names no decision, `id-only` no more than which. An event whose name cannot be read has its number only.
    """
    counted = events[-1].number if events else 0
    state = "requested" if kind == "handshake" else "active"
    since = counted if since_start is None else since_start
    first = status_entry(store, kind, state, since, [_notification_event(event, content) for event in events])
    full = [event for event in events if event.is_readable] if content == "full-resource" else []
    return {"resourceType": "Bundle", "type": "history", "entry": [first, *[_entry(event) for event in full]]}


def status_entry(
    store: Store, kind: Type, state: str, since_start: int, events: Sequence[Resource] = (), error: str | None = None
) -> Resource:
    """The entry with the SubscriptionStatus as R4 Parameters; `error` is a short code of what is wrong (SUB-03)."""
    status_url = f"{CANONICAL}/Subscription/{subscription_id(store.id)}"
    last = events[-1]["part"][0]["valueString"] if events else "0"
    parameters: Resource = {
        "resourceType": "Parameters",
        "id": str(uuid5(NAMESPACE_URL, f"{status_url}/{kind}/{last}/{len(events)}")),
        "meta": {"profile": [PROFILE]},
        "parameter": [
            {"name": "subscription", "valueReference": {"reference": status_url}},
            {"name": "topic", "valueCanonical": TOPIC},
            {"name": "status", "valueCode": state},
            {"name": "type", "valueCode": kind},
            {"name": "events-since-subscription-start", "valueString": str(since_start)},
            *events,
            *([{"name": "error", "valueCodeableConcept": {"text": error}}] if error else []),
        ],
    }
    return {
        "fullUrl": f"urn:uuid:{parameters['id']}",
        "resource": parameters,
        "request": {"method": "GET", "url": f"{status_url}/$status"},
        "response": {"status": "200"},
    }


def _notification_event(event: StoreEvent, content: Content) -> Resource:
    parts: list[Resource] = [
        {"name": "event-number", "valueString": str(event.number)},
        {"name": "timestamp", "valueInstant": instant(event.decision.recorded_at)},
    ]
    if event.is_readable and content != "empty":
        parts.append({"name": "focus", "valueReference": {"reference": _url(event)}})
    return {"name": "notification-event", "part": parts}


def _entry(event: StoreEvent) -> Resource:
    return {
        "fullUrl": _url(event),
        "resource": as_consent(event.decision, event.system, event.value, subject=event.subject, answer=event.answer),
        "request": {"method": "PUT", "url": f"Consent/{event.decision.id}"},
        "response": {
            "status": "200",
            "etag": f'W/"{event.decision.version}"',
            "lastModified": instant(event.decision.recorded_at),
        },
    }


def _url(event: StoreEvent) -> str:
    return f"{CANONICAL}/Consent/{event.decision.id}/_history/{event.decision.version}"


def instant(value: datetime) -> str:
    """A FHIR instant in UTC with milliseconds."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
