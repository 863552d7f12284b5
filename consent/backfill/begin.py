"""Begin a backfill, and read how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.audit import Audited, write_audit
from consent.store_config import Basis, Store
from database.context import as_propagation
from database.unit_of_work import Database
from vocabulary.errors import Invalid

MOST_WORDS = 200
_COLUMNS = "store_id, next_position, stop_position, only_no, told, begun_at, finished_at"
_FIRST_CURSOR = text(
    "INSERT INTO store_cursor (store_id, position, event_number, failures, updated_at)"
    " VALUES (:store, 0, 0, 0, :now) ON CONFLICT (store_id) DO NOTHING"
)
_LOCKED = text(
    "SELECT position, event_number, (SELECT coalesce(max(position) + 1, 0) FROM position) AS top"
    " FROM store_cursor WHERE store_id = :store FOR UPDATE"
)
# After the lock: while it was waited for, a batch may have been made.
_WAITING = text("SELECT EXISTS (SELECT FROM store_batch WHERE store_id = :store AND first_event = :event + 1)")
_JUMP = text("UPDATE store_cursor SET position = :stop, updated_at = :now WHERE store_id = :store")
_BEGIN = text(
    "INSERT INTO store_backfill ("  # noqa: S608 - constants
    "store_id, stop_position, next_position, only_no, told, begun_at, finished_at)"
    " VALUES (:store, :stop, 0, :only_no, 0, :now, CASE WHEN :stop = 0 THEN CAST(:now AS timestamptz) END)"
    " ON CONFLICT (store_id) DO UPDATE SET stop_position = excluded.stop_position, next_position = 0, told = 0,"
    " only_no = excluded.only_no, begun_at = excluded.begun_at, finished_at = excluded.finished_at"
    f" RETURNING {_COLUMNS}"
)
_READ = text(f"SELECT {_COLUMNS} FROM store_backfill WHERE store_id = :store")  # noqa: S608 - constants


@dataclass(frozen=True)
class Backfill:
    """The newest backfill of one store. All that stood before position `stop` is told up to (not with) `next`, in
    `told` events; `only_no`: the store was new, so it hears of those to keep out only."""

    store_id: str
    next: int
    stop: int
    only_no: bool
    told: int
    begun_at: datetime
    finished_at: datetime | None

    @property
    def is_done(self) -> bool:
        return self.finished_at is not None


@dataclass(frozen=True)
class Order:
    """Whose hand a backfill or a comparison was, for the audit: a login name, and why in their words, which may name
    nobody; up to 200 printable characters each."""

    who: str = "portal"
    why: str = ""

    def line(self, event: str, **detail: object) -> Audited:
        """The audit's line; Invalid when a word will not do."""
        for field, words in (("who", self.who), ("why", self.why)):
            if len(words) > MOST_WORDS or not words.isprintable() or (field == "who" and not words.strip()):
                raise Invalid(field, {field: f"up to {MOST_WORDS} printable characters"})
        said = {"why": self.why} if self.why else {}
        return Audited(None, event, "E", "operator", actor_reference=self.who, detail={**detail, **said})


def begin_backfill(database: Database, store: Store, now: datetime, order: Order | None = None) -> Backfill:
    """Begin one, which is audited, or return the one that is under way; Invalid for a store that is never told.

    The stream jumps to the top of the ledger, and what stood below is told beside it. While a batch of the stream waits
    for its answer there is no jump: the backfill then ends where the stream stands.
    """
    if not store.is_told:
        raise Invalid("never-told")
    with database.begin(as_propagation()) as session:
        session.execute(_FIRST_CURSOR, {"store": store.id, "now": now})
        cursor = session.execute(_LOCKED, {"store": store.id}).one()
        found = read_backfill(session, store.id)
        if found is not None and not found.is_done:
            return found
        waiting = session.scalar(_WAITING, {"store": store.id, "event": cursor.event_number})
        stop = cursor.position if waiting else cursor.top
        session.execute(_JUMP, {"store": store.id, "stop": stop, "now": now})
        new = cursor.event_number == 0 and not waiting and store.basis is Basis.OPERATIONS
        bound = {"store": store.id, "stop": stop, "only_no": new, "now": now}
        write_audit(session, now, (order or Order()).line("store.backfilled", store=store.id, last=stop))
        return Backfill(*session.execute(_BEGIN, bound).one())


def read_backfill(session: Session, store_id: str) -> Backfill | None:
    """The newest backfill of a store, None when there never was one; any login may read it."""
    row = session.execute(_READ, {"store": store_id}).one_or_none()
    return Backfill(*row) if row else None
