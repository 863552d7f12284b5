"""The channel to a store: greeted before the first event and after a change, kept warm when it is silent (SUB-02, 06).

A store is `requested` until it has answered a handshake under its present endpoint and secrets, then `active`; it is
in `error` while it does not answer, and gets no new release then (SUB-10). Nothing expires in either state.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.store_config import Store
from consent.stores.adapter import StoreAdapter
from database.keyring import KeyRing

_GREETED = text(
    "INSERT INTO store_channel (store_id, state, greeted, since, heard_at) VALUES (:store, 'active', :mark, :now, :now)"
    " ON CONFLICT (store_id) DO UPDATE SET state = 'active', greeted = :mark, since = :now, heard_at = :now,"
    " last_error = NULL"
)
_HEARD = text(
    "UPDATE store_channel SET since = CASE WHEN state = 'active' THEN since ELSE :now END, state = 'active',"
    " heard_at = :now, last_error = NULL WHERE store_id = :store"
)
_ERROR = text(
    "INSERT INTO store_channel (store_id, state, since, last_error) VALUES (:store, 'error', :now, :error)"
    " ON CONFLICT (store_id) DO UPDATE SET state = 'error', last_error = :error,"
    " since = CASE WHEN store_channel.state = 'error' THEN store_channel.since ELSE :now END"
)


class ChannelState(StrEnum):
    """As FHIR's SubscriptionStatusCodes."""

    REQUESTED = "requested"
    ACTIVE = "active"
    ERROR = "error"


@dataclass(frozen=True)
class Channel:
    """`greeted`: the mark of what answered a handshake last; `heard_at`: the last believed answer of any kind."""

    state: ChannelState
    greeted: bytes | None
    heard_at: datetime | None

    def must_be_greeted(self, mark: bytes) -> bool:
        return self.greeted != mark

    def is_silent(self, now: datetime, period: timedelta) -> bool:
        return self.heard_at is None or now - self.heard_at >= period


@runtime_checkable
class Notifies(Protocol):
    """A store that can be sent a handshake or heartbeat of its own; one that cannot is asked whether it is well."""

    def notify(self, kind: Literal["handshake", "heartbeat"], event_number: int) -> bool:
        """Send a message without events; `event_number`: the last number given out. Whether it was answered well."""
        ...


def speak(adapter: StoreAdapter, kind: Literal["handshake", "heartbeat"], event_number: int) -> bool:
    """Send it in the way this kind of store has; whether the answer is believed."""
    if isinstance(adapter, Notifies):
        return adapter.notify(kind, event_number)
    return adapter.is_well()


def mark_of(ring: KeyRing, store: Store) -> bytes:
    """A keyed mark of where and under which secrets a store is spoken to; nothing can be read from it."""
    named = (store.kind.value, store.transport.value, store.endpoint, store.login or "", store.client_id or "")
    parts = [*named, *sorted(store.secrets)]
    return ring.content_mac("\x00".join(["channel", *parts]).encode())


def note_greeted(session: Session, store: Store, mark: bytes, now: datetime) -> None:
    session.execute(_GREETED, {"store": store.id, "mark": mark, "now": now})


def note_heard(session: Session, store: Store, now: datetime) -> None:
    """The store answered well: it is active again, whatever it was."""
    session.execute(_HEARD, {"store": store.id, "now": now})


def note_error(session: Session, store: Store, error: str, now: datetime) -> None:
    session.execute(_ERROR, {"store": store.id, "error": error, "now": now})
