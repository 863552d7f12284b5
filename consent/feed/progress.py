"""How far each store is, for an operator: cursor, lag, channel, parked, overdue, paused. Counts, about nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.store_config import Store
from vocabulary.errors import NotFound

_READ = text(
    "SELECT w.store_id, coalesce(c.position, 0) AS position, coalesce(c.event_number, 0) AS event_number,"
    " coalesce((SELECT max(position) + 1 FROM position), 0) AS top,"
    " (SELECT q.sequenced_at FROM position q WHERE q.position = coalesce(c.position, 0)) AS behind_since,"
    " coalesce(h.state, 'requested') AS state, coalesce(h.last_error, c.last_error) AS last_error, h.heard_at,"
    " coalesce(h.overdue, 0) AS overdue, coalesce(h.waiting, 0) AS waiting, h.looked_at,"
    " (SELECT count(*) FROM parked_item k WHERE k.store_id = w.store_id AND k.resolved_at IS NULL) AS parked,"
    " a.last_event AS answered_event, a.answered_at, p.paused_at, p.paused_by, p.why, c.next_try_at"
    " FROM unnest(CAST(:stores AS text[])) WITH ORDINALITY AS w(store_id, place)"
    " LEFT JOIN store_cursor c ON c.store_id = w.store_id LEFT JOIN store_channel h ON h.store_id = w.store_id"
    " LEFT JOIN store_pause p ON p.store_id = w.store_id AND p.ended_at IS NULL"
    " LEFT JOIN LATERAL (SELECT last_event, answered_at FROM store_batch b WHERE b.store_id = w.store_id"
    " AND b.answered_at IS NOT NULL ORDER BY b.first_event DESC LIMIT 1) a ON true ORDER BY w.place"
)


@dataclass(frozen=True)
class Progress:
    """One store. `lag`: positions not looked at yet, since `behind_since`; `event_number`: the last given out.

    `answered_at`: when the store last answered events (up to `answered_event`); `heard_at`: its last believed answer
    of any kind. `overdue` and `waiting` are counts as of `looked_at`.
    """

    store_id: str
    kind: str
    state: str
    position: int
    lag: int
    behind_since: datetime | None
    event_number: int
    answered_event: int | None
    answered_at: datetime | None
    heard_at: datetime | None
    waiting: int
    overdue: int
    parked: int
    looked_at: datetime | None
    next_try_at: datetime | None
    last_error: str | None
    paused_since: datetime | None
    paused_by: str | None
    why_paused: str | None

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


def read_progress(session: Session, stores: Sequence[Store]) -> tuple[Progress, ...]:
    """Every store of `stores` that is told of decisions, in their order. For the propagation role."""
    kinds = {store.id: store.kind.value for store in stores if store.is_told}
    return tuple(_progress(row, kinds[row.store_id]) for row in session.execute(_READ, {"stores": list(kinds)}))


def _progress(row: Any, kind: str) -> Progress:
    return Progress(
        store_id=row.store_id,
        kind=kind,
        state="paused" if row.paused_at is not None else row.state,
        position=row.position,
        lag=max(0, row.top - row.position),
        behind_since=row.behind_since,
        event_number=row.event_number,
        answered_event=row.answered_event,
        answered_at=row.answered_at,
        heard_at=row.heard_at,
        waiting=row.waiting,
        overdue=row.overdue,
        parked=row.parked,
        looked_at=row.looked_at,
        next_try_at=row.next_try_at,
        last_error=row.last_error,
        paused_since=row.paused_at,
        paused_by=row.paused_by,
        why_paused=row.why,
    )


def store_called(stores: Sequence[Store], store_id: str) -> Store:
    """The store with this id that is told of decisions; NotFound for another."""
    for store in stores:
        if store.id == store_id and store.is_told:
            return store
    raise NotFound("store")
