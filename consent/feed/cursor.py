"""How far one store is: its cursor in the database, and what of it there is to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.store_config import Store

REPAIRS = "EXISTS (SELECT FROM store_retelling r WHERE r.store_id = {store}) AS repairs"
FILLING = "EXISTS (SELECT FROM store_backfill f WHERE f.store_id = {store} AND f.finished_at IS NULL) AS filling"
TOP = "(SELECT coalesce(max(position) + 1, 0) FROM position) AS top"
# The fields of `Cursor`, of `c`.
CURSOR_COLUMNS = (
    f"c.position, c.event_number, c.failures, c.next_try_at, {REPAIRS}, {FILLING},"
    " EXISTS (SELECT FROM store_batch b WHERE b.store_id = c.store_id AND b.first_event = c.event_number + 1"
    f"  AND b.answered_at IS NULL) AS waiting, {TOP}"
).format(store="c.store_id")
_CURSOR = text(f"SELECT {CURSOR_COLUMNS} FROM store_cursor c WHERE c.store_id = :store")  # noqa: S608 - constants
_FAILED = text(
    "UPDATE store_cursor SET failures = :failures, last_error = :error, next_try_at = :next, updated_at = :now"
    " WHERE store_id = :store"
)


class LostCursor(Exception):
    """Another sender moved this store's cursor in between: what was done here is rolled back and read anew."""


@dataclass(frozen=True)
class Cursor:
    """`position`: everything below is answered or parked, or left to a backfill. `event_number`: the last number given
    out and settled. `repairs`, `filling`: there is something to tell beside the stream. `waiting`: a batch was made and
    waits for its answer. `top`: the ledger's end."""

    position: int
    event_number: int
    failures: int
    next_try_at: datetime | None
    repairs: bool
    filling: bool
    waiting: bool
    top: int


def read_cursor(session: Session, store: Store) -> Cursor:
    return Cursor(*session.execute(_CURSOR, {"store": store.id}).one())


def note_failure(session: Session, store: Store, failures: int, reason: str, next_try: datetime, now: datetime) -> None:
    bound = {"store": store.id, "failures": failures, "error": reason, "next": next_try, "now": now}
    session.execute(_FAILED, bound)


def note_recovered(session: Session, store: Store, now: datetime) -> None:
    """The store answers again: what failed before is no longer counted."""
    session.execute(_FAILED, {"store": store.id, "failures": 0, "error": None, "next": None, "now": now})
