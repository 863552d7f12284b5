"""Messages of invented people, in the store's own wire form: as they should be, and wrong in one way. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

import orjson

from consent.certify.case import Craft, Tell
from consent.decision import ALL_CATEGORIES, CANCERLINQ, Answer, ByWhom, Choice, Decision, Means, Subject, donation_to
from consent.store_config import Basis, Store, Transport
from consent.stores import stream_wire
from consent.stores.adapter import Batch
from consent.stores.stream_wire import Make
from consent.wire import StoreEvent, bundle, message
from consent.wire_signature import sign
from vocabulary.actor import ActorKind

STRANGER = "whsec_" + "c3RyYW5nZXIt" * 4
"""A secret that no store has: what is signed with it alone is forged."""
UNKNOWN_SYSTEM = "https://patient-portal.example/fhir/NamingSystem/nobody-knows-this"
SIX_MINUTES, YEAR = timedelta(minutes=6), timedelta(days=366)
OTHER_EFFORT = "an-effort-of-others"


@dataclass(frozen=True)
class Message:
    """What is sent: id, content type and body; `told` is event number -> version of what a receipt must answer."""

    id: str
    media: str
    body: bytes
    told: dict[int, int]
    headers: dict[str, str]


def event_of(store: Store, tell: Tell, number: int, system: str, value: str, now: datetime) -> StoreEvent:
    """An event about an invented person; nothing in it comes from the ledger."""
    subject = subject_of(store, other=tell.other_choice)
    person = uuid5(NAMESPACE_URL, f"certification|{value}")
    decision = Decision(
        id=uuid5(person, f"{tell.version}|{tell.answer}|{subject}"),
        person_id=person,
        version=tell.version,
        subject=subject,
        answer=tell.answer,
        by=ByWhom(ActorKind.PATIENT),
        means=Means.WEB,
        language="en",
        text_id=None,
        text_version=None,
        asked_at=now,
        recorded_at=now,
        salt=b"\0" * 32,
        categories=ALL_CATEGORIES if subject.effort and tell.answer is Answer.YES else frozenset(),
    )
    known = UNKNOWN_SYSTEM if tell.other_system else system
    return StoreEvent(number, number, known, value, subject, tell.answer, decision)


def subject_of(store: Store, *, other: bool = False) -> Subject:
    """The choice that is this store's business, or one that is not."""
    if store.basis is Basis.DONATION:
        return donation_to(OTHER_EFFORT if other else store.effort or "")
    return donation_to(OTHER_EFFORT) if other else CANCERLINQ


def message_of(store: Store, message_id: str, events: Sequence[StoreEvent], craft: Craft) -> Message:
    """The message; a craft that is wrong in the body is wrong here, before it is signed."""
    if craft is Craft.EMPTY:
        media, body = _empty(store)
    else:
        told_of = [event for event in events for _ in range(2 if craft is Craft.TWICE else 1)]
        media, body = message(store, told_of)
    edit = _EDITS.get(craft)
    body = edit(store, body) if edit else body
    numbers = [event.number for event in events] or [0]
    headers = {"portal-positions": f"{min(numbers)}-{max(numbers)}"}
    told = {event.number: event.decision.version for event in events}
    return Message(message_id, "text/html" if craft is Craft.HTML else media, body, told, headers)


def greeting_of(store: Store, message_id: str, kind: Literal["handshake", "heartbeat"], count: int) -> Message:
    """A handshake or heartbeat that names `count` as the number of the last event."""
    media, body = "application/x-ndjson", b""
    if store.transport is Transport.BACKPORT:
        media, body = "application/fhir+json", orjson.dumps(bundle(store, [], kind, count))
    return Message(message_id, media, body, {}, {"portal-notification": kind, "portal-events": str(count)})


def in_stream(craft: Craft) -> Make:
    """How one message of a stream is made, wrong as the craft says."""

    def make(store: Store, batch: Batch, event: StoreEvent, now: datetime) -> tuple[str, dict[str, str], bytes]:
        name, headers, body = stream_wire.signed(store, batch, event, now)
        edit = _EDITS.get(craft)
        if edit is not None:
            body = edit(with_transport(store, Transport.NDJSON), body).rstrip(b"\n")
        others = {key: value for key, value in headers.items() if not key.startswith("webhook-")}
        sent = Message(name, others["content-type"], body, {}, {})
        return name, {**others, **_signature(store, sent, craft, now)}, body

    return make


def signed(store: Store, sent: Message, craft: Craft, now: datetime) -> dict[str, str]:
    """All headers of the message, signed as the craft says."""
    made = _signature(store, sent, craft, now)
    return {**sent.headers, **made, "content-type": sent.media, "accept": "application/json"}


def _signature(store: Store, sent: Message, craft: Craft, now: datetime) -> dict[str, str]:
    own = store.secrets
    at = {Craft.STALE: now - SIX_MINUTES, Craft.FUTURE: now + SIX_MINUTES, Craft.YEAR_OLD: now - YEAR}.get(craft, now)
    if craft is Craft.UNSIGNED:
        return {"webhook-id": sent.id, "webhook-timestamp": str(int(now.timestamp()))}
    if craft is Craft.FORGED:
        return sign([STRANGER], sent.id, sent.body, now)
    if craft is Craft.OTHER_BODY:
        return sign(own, sent.id, sent.body + b" ", now)
    if craft is Craft.OTHER_ID:
        return {**sign(own, sent.id, sent.body, now), "webhook-id": f"{sent.id}-b"}
    if craft in (Craft.UNKNOWN_FIRST, Craft.UNKNOWN_LAST):
        both = (STRANGER, *own) if craft is Craft.UNKNOWN_FIRST else (*own, STRANGER)
        return sign(both, sent.id, sent.body, now)
    made = sign(own, sent.id, sent.body, at)
    if craft is Craft.NO_TIME:
        return {**made, "webhook-timestamp": "yesterday"}
    if craft is Craft.UNKNOWN_SCHEME:
        return {**made, "webhook-signature": made["webhook-signature"].replace("v1,", "v2,")}
    return made


def _empty(store: Store) -> tuple[str, bytes]:
    if store.transport is Transport.NDJSON:
        return "application/x-ndjson", b""
    return "application/fhir+json", orjson.dumps(bundle(store, [], "event-notification"))


def _cut(_store: Store, body: bytes) -> bytes:
    return body[: len(body) * 2 // 3]


def _garbage(_store: Store, _body: bytes) -> bytes:
    return b'["this", {"is": "nothing"'


def _extra(store: Store, body: bytes) -> bytes:
    if store.transport is Transport.NDJSON:
        lines = [orjson.loads(line) for line in body.splitlines()]
        return b"".join(orjson.dumps({**line, "later": {"field": [1, None]}}) + b"\n" for line in lines)
    document = orjson.loads(body)
    document["meta"] = {"tag": [{"code": "later"}]}
    for entry in document["entry"][1:]:
        entry["resource"]["extension"] = [{"url": "https://later.example/extension", "valueCode": "later"}]
    document["entry"][0]["resource"]["parameter"].append({"name": "later", "valueString": "later"})
    return orjson.dumps(document)


def _unknown(store: Store, body: bytes) -> bytes:
    """The event in the middle (the only one of one) is of no kind that the contract names."""
    if store.transport is Transport.NDJSON:
        lines = [orjson.loads(line) for line in body.splitlines()]
        lines[len(lines) // 2]["choice"] = "weather"
        return b"".join(orjson.dumps(line) + b"\n" for line in lines)
    document = orjson.loads(body)
    entries = document["entry"][1:]
    entries[len(entries) // 2]["resource"]["resourceType"] = "Basic"
    return orjson.dumps(document)


_EDITS: dict[Craft, Callable[[Store, bytes], bytes]] = {
    Craft.CUT: _cut,
    Craft.GARBAGE: _garbage,
    Craft.EXTRA: _extra,
    Craft.UNKNOWN_KIND: _unknown,
    Craft.POISONED: _unknown,
}


def with_transport(store: Store, transport: Transport) -> Store:
    """The store as one that is told in this form."""
    return replace(store, transport=transport)


def is_about(choice: object, store: Store) -> bool:
    """Whether a standing that the store names is about the choice that is its business."""
    return choice == (Choice.DONATION if store.basis is Basis.DONATION else Choice.CANCERLINQ).value
