"""What goes over a stream: one signed message per event, in an order that keeps each person's, and receipts. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from consent.receipts import State, StoreReceipt
from consent.store_config import Store
from consent.stores.adapter import Batch
from consent.wire import StoreEvent, message
from consent.wire_signature import sign

WINDOW = 250
RECEIPTS = "receipts"  # what is added to the subject or topic for the way back
UNSIGNED = "taken by the stream; not signed by the store"

# Message id, headers and body of one event; `signed` makes them, and a certification makes some that are wrong.
Make = Callable[[Store, Batch, StoreEvent, datetime], tuple[str, dict[str, str], bytes]]
# What to do with the receipts that came back: headers, body, and when the stream took them. It raises PortalError.
Keep = Callable[[Mapping[str, str], bytes, datetime], None]


@runtime_checkable
class TakesReceipts(Protocol):
    """A store that answers later, on a way back of its own."""

    make: Make

    def take_receipts(self, keep: Keep) -> int:
        """Hand what has come back to `keep`, and tell the stream what is done with; returns how much came."""
        ...


def body_of(store: Store, event: StoreEvent) -> bytes:
    """The compact line of one event, without its line end."""
    return message(store, [event])[1].rstrip(b"\n")


def message_id(store: Store, event: StoreEvent, body: bytes) -> str:
    """The same for the same event told again, so that the stream drops it; another for another event, even when a
    batch that failed is cut anew and a number is given to something else."""
    return f"{store.id}-{event.number}-{hashlib.sha256(body).hexdigest()[:16]}"


def person_key(event: StoreEvent) -> str:
    """Who it is about, in the store's words: what is about one person stays in order."""
    return f"{event.system}|{event.value}"


def windows(events: Sequence[StoreEvent]) -> list[list[StoreEvent]]:
    """The events in order, cut so that nobody comes twice in a window: the second goes out when the first is safe."""
    cut: list[list[StoreEvent]] = [[]]
    named: set[str] = set()
    for event in events:
        if person_key(event) in named or len(cut[-1]) >= WINDOW:
            cut.append([])
            named = set()
        cut[-1].append(event)
        named.add(person_key(event))
    return cut


def signed(store: Store, batch: Batch, event: StoreEvent, now: datetime) -> tuple[str, dict[str, str], bytes]:
    """Message id, headers and body of one event (Standard Webhooks, as over HTTP)."""
    body = body_of(store, event)
    name = message_id(store, event, body)
    return name, {**batch.headers, **sign(store.secrets, name, body, now), "content-type": "application/json"}, body


def taken(event: StoreEvent, where: str) -> StoreReceipt:
    """The stream keeps it; what the store does with it comes later: `accepted`, never `applied`."""
    version = event.decision.version
    return StoreReceipt(event.number, version, State.ACCEPTED, reference=where[:80], reason=UNSIGNED)
