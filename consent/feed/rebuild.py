"""The events of a batch, from what is told of its positions: numbered when it is made, and the same again later."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from consent.feed.read_events import AnyTold, Told, numbered, read_events_at
from consent.feed.read_lines import is_told_by_lines, read_lines_at
from consent.store_config import Store
from consent.stores.lines import LineEvents, Lines
from consent.wire import StoreEvent
from database.keyring import KeyRing

Events = tuple[StoreEvent, ...] | LineEvents


def number(told: Sequence[Told] | Lines, store: Store, first: int) -> Events:
    return LineEvents(first, told) if isinstance(told, Lines) else tuple(numbered(told, store, first))


def rebuild(
    session: Session, ring: KeyRing, store: Store, positions: Sequence[int], first_event: int, now: datetime
) -> Events:
    if is_told_by_lines(store):
        lines = read_lines_at(session, ring, store, positions)
        kept = lines if list(lines.positions) == list(positions) else Lines.of(_as_made(lines, positions))
        return LineEvents(first_event, kept)
    return tuple(rebuild_events(session, ring, store, positions, first_event, now))


def rebuild_events(
    session: Session, ring: KeyRing, store: Store, positions: Sequence[int], first_event: int, now: datetime
) -> list[StoreEvent]:
    told = read_events_at(session, ring, store, positions, now)
    return numbered(_as_made(told, positions), store, first_event)


def _as_made(told: Sequence[AnyTold], positions: Sequence[int]) -> list[AnyTold]:
    """As often as each position is in `positions`."""
    left: dict[int, int] = {}
    for position in positions:
        left[position] = left.get(position, 0) + 1
    kept = []
    for item in told:  # a name added since the batch was made is told by its own carried decision
        if left.get(item.position, 0) > 0:
            left[item.position] -= 1
            kept.append(item)
    return kept
