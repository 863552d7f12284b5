"""A store asks about its own subscription: `$status` and `$events` (SUB-05, SUB-06; Subscriptions R5 Backport for R4).

The route and its authentication are the front door's. Reading events crosses persons: `subscription_events` needs the
propagation role, which only the worker's login may take; `subscription_status` reads counts, with any login.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.feed.channel import ChannelState
from consent.feed.rebuild import rebuild_events
from consent.store_config import Store
from consent.wire import Content, StoreEvent, bundle, status_entry, subscription_id
from database.keyring import KeyRing
from vocabulary.errors import Invalid
from vocabulary.resource import Resource

MOST_EVENTS = 500
"""At most so many events in one answer; the store asks again from the number after the last."""

_STATUS = text(
    "SELECT w.store_id, coalesce(h.state, 'requested') AS state, h.last_error,"
    " coalesce(c.event_number, 0) AS last_event"
    " FROM unnest(CAST(:stores AS text[])) AS w(store_id) LEFT JOIN store_channel h ON h.store_id = w.store_id"
    " LEFT JOIN store_cursor c ON c.store_id = w.store_id"
)
_LAST = text("SELECT event_number FROM store_cursor WHERE store_id = :store")
_BATCHES = text(
    "SELECT first_event, positions FROM store_batch WHERE store_id = :store AND answered_at IS NOT NULL"
    " AND last_event >= :since AND first_event <= :until ORDER BY first_event"
)


@dataclass(frozen=True)
class EventsAsked:
    """What a store asks for: event numbers `since` to `until`, both inclusive; `until` None means the newest."""

    since: int = 1
    until: int | None = None
    content: Content = "full-resource"


def read_asked(query: Mapping[str, str]) -> EventsAsked:
    """The parameters of `$events`; Invalid for one that is unknown or no count, or a range that runs backwards."""
    unknown = sorted(set(query) - {"eventsSinceNumber", "eventsUntilNumber", "content"})
    if unknown:
        raise Invalid("unknown-parameter", {name: "unknown" for name in unknown})
    since = _number(query, "eventsSinceNumber")
    until = _number(query, "eventsUntilNumber")
    if since is not None and until is not None and since > until:
        raise Invalid("range-runs-backwards", {"eventsUntilNumber": "before-since"})
    for content in get_args(Content):
        if query.get("content", "full-resource") == content:
            return EventsAsked(max(since or 1, 1), until, content)
    raise Invalid("content", {"content": "unknown"})


def _number(query: Mapping[str, str], name: str) -> int | None:
    value = query.get(name)
    if value is None:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise Invalid("not-an-event-number", {name: "not-a-count"})
    return int(value)


def subscription_status(
    session: Session, stores: Sequence[Store], *, ids: Collection[str] = (), states: Collection[str] = ()
) -> Resource:
    """`$status` as a searchset Bundle with one SubscriptionStatus for each of `stores` (those that the caller may see).

    `ids` (Subscription ids) and `states` (`requested`, `active`, `error`) narrow it, as the operation's `id` and
    `status` parameters do; Invalid for a state that is none.
    """
    if not {state.value for state in ChannelState}.issuperset(states):
        raise Invalid("unknown-status", {"status": "unknown"})
    asked = [store for store in stores if store.is_told and (not ids or subscription_id(store.id) in ids)]
    rows = {row.store_id: row for row in session.execute(_STATUS, {"stores": [store.id for store in asked]})}
    found = []
    for store in asked:
        row = rows[store.id]
        if not states or row.state in states:
            entry = status_entry(store, "query-status", row.state, row.last_event, error=row.last_error)
            found.append({"fullUrl": entry["fullUrl"], "resource": entry["resource"], "search": {"mode": "match"}})
    return {"resourceType": "Bundle", "type": "searchset", "total": len(found), "entry": found}


def subscription_events(
    session: Session, ring: KeyRing, store: Store, asked: EventsAsked, now: datetime, most: int = MOST_EVENTS
) -> Resource:
    """`$events` as a history Bundle of type `query-event`: what the store was given in this range, in order, dense.

    Numbers not given out yet are not in it; `events-since-subscription-start` says how far they go. A range of more
    than `most` is answered from its beginning. An event whose name cannot be opened now has its number only.
    """
    last = int(session.scalar(_LAST, {"store": store.id}) or 0)
    until = min(last if asked.until is None else asked.until, last, asked.since + most - 1)
    events: list[StoreEvent] = []
    for row in session.execute(_BATCHES, {"store": store.id, "since": asked.since, "until": until}).all():
        made = rebuild_events(session, ring, store, list(row.positions), row.first_event, now)
        events += [event for event in made if asked.since <= event.number <= until]
    return bundle(store, events, "query-event", last, content=asked.content)
