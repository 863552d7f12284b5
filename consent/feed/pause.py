"""A store is paused and resumed by hand: nothing is sent meanwhile, nothing is lost, and who did it is kept.

A pause fails closed: the channel is in `error` for as long as it lasts, so no new release goes there (SUB-10), and
what waits still counts as overdue. The first look after the end sends a heartbeat, and its answer ends the error.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.audit import Audited, write_audit
from consent.feed.channel import note_error
from consent.store_config import Store
from vocabulary.errors import Conflict, Invalid

PAUSED = "paused"
MOST_WORDS = 200

_OPEN = text("SELECT paused_at, paused_by, why FROM store_pause WHERE store_id = :store AND ended_at IS NULL")
_PAUSE = text(
    "INSERT INTO store_pause (store_id, paused_at, paused_by, why) VALUES (:store, :now, :who, :why)"
    " ON CONFLICT (store_id) WHERE ended_at IS NULL DO NOTHING RETURNING id"
)
_RESUME = text(
    "UPDATE store_pause SET ended_at = :now, ended_by = :who WHERE store_id = :store AND ended_at IS NULL RETURNING id"
)
_SPEAK_SOON = text("UPDATE store_channel SET heard_at = NULL WHERE store_id = :store")


@dataclass(frozen=True)
class Pause:
    """One that is on: since when, by whom (a login name), and why in their words."""

    since: datetime
    who: str
    why: str


def open_pause(session: Session, store_id: str) -> Pause | None:
    """The pause that is on for a store. Any login may read it."""
    row = session.execute(_OPEN, {"store": store_id}).one_or_none()
    return Pause(*row) if row else None


def pause(session: Session, store: Store, who: str, why: str, now: datetime) -> None:
    """Stop sending to `store` until `resume`; Conflict when it is paused already. For the propagation role.

    `why` is for other operators: it is shown, so it may name nobody. What is under way is finished.
    """
    bound = {"store": store.id, "now": now, "who": _words(who, "who"), "why": _words(why, "why")}
    if session.scalar(_PAUSE, bound) is None:
        raise Conflict("already-paused")
    note_error(session, store, PAUSED, now)
    write_audit(session, now, _line("store.paused", store, who))


def resume(session: Session, store: Store, who: str, now: datetime) -> None:
    """Send again from where it stopped; Conflict when it is not paused. For the propagation role."""
    if session.scalar(_RESUME, {"store": store.id, "now": now, "who": _words(who, "who")}) is None:
        raise Conflict("not-paused")
    session.execute(_SPEAK_SOON, {"store": store.id})
    write_audit(session, now, _line("store.resumed", store, who))


def _line(event: str, store: Store, who: str) -> Audited:
    return Audited(None, event, "U", "operator", actor_reference=who, detail={"store": store.id})


def _words(value: str, field: str) -> str:
    said = value.strip()
    if not said or len(said) > MOST_WORDS or not said.isprintable():
        raise Invalid(field, {field: f"1 to {MOST_WORDS} printable characters"})
    return said
