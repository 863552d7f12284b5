"""Which donations are to be looked at: marks made from the ledger and from records that came in anew.

Set-based: a mark costs one row for each yes and one update for each retrieval, never a job or a loop over people.
The reader's place in the ledger is a row of `store_cursor` named `donations/` and the store, so that a store's
donations and its feed of decisions move apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from consent.store_config import Basis, Store
from database.context import as_persons, as_release
from database.unit_of_work import Database

DUE, SETTLED = "due", "settled"
AT_ONCE = 1_000

_CURSOR = text(
    "INSERT INTO store_cursor (store_id, position, event_number, failures, updated_at)"
    " VALUES (:cursor, 0, 0, 0, :now) ON CONFLICT (store_id) DO NOTHING"
)
_READ = text(
    "SELECT c.position, c.next_try_at, (SELECT max(position) FROM position) AS newest FROM store_cursor c"
    " WHERE c.store_id = :cursor FOR UPDATE"
)
_MARK = text(
    "INSERT INTO delivery_to_effort (id, person_id, effort_id, store_id, decision_version, manifest, retrieval_ids,"
    " categories, state, resource_count, answer, attempts, next_try_at, made_at)"
    " SELECT gen_random_uuid(), d.person_id, d.effort_id, :store, d.version, :mark, '{}', '{}', 'due', 0, '{}', 0,"
    " :now, :now FROM position q JOIN decision d ON d.id = q.decision_id"
    " WHERE q.position >= :start AND q.position < :stop AND d.choice = 'donation' AND d.answer = 'yes'"
    " AND d.effort_id = :effort ON CONFLICT (person_id, effort_id, decision_version, manifest)"
    " DO UPDATE SET state = 'due', next_try_at = :now, made_at = :now, attempts = 0"
)
_MOVE = text("UPDATE store_cursor SET position = :stop, updated_at = :now WHERE store_id = :cursor")
_DUE = text(
    "SELECT id, person_id, decision_version, attempts, made_at FROM delivery_to_effort"
    " WHERE store_id = :store AND state = 'due' AND next_try_at <= :now ORDER BY next_try_at, id LIMIT :many"
)
_NEWEST = (
    "decision_version = (SELECT max(n.decision_version) FROM delivery_to_effort n WHERE n.person_id = m.person_id"
    " AND n.store_id = m.store_id AND n.state IN ('due', 'settled'))"
)
_RECORD_CHANGED = text(
    "UPDATE delivery_to_effort m SET state = 'due', next_try_at = :now, made_at = :now, attempts = 0"  # noqa: S608 - constants of this file; values are bound
    f" WHERE m.person_id = :person AND m.state IN ('due', 'settled') AND {_NEWEST}"
)
_MISSED = text(
    "UPDATE delivery_to_effort m SET state = 'due', next_try_at = :now, made_at = :now, attempts = 0"  # noqa: S608 - constants of this file; values are bound
    f" FROM (SELECT person_id, max(finished_at) AS finished FROM retrieval WHERE finished_at > :since"
    f" GROUP BY person_id) r WHERE r.person_id = m.person_id AND m.state = 'settled' AND r.finished > m.made_at"
    f" AND {_NEWEST}"
)


@dataclass(frozen=True)
class Mark:
    """One donation to look at. `asked_at` tells this asking from a later one."""

    id: UUID
    person: UUID
    version: int
    attempts: int
    asked_at: datetime


def cursor_name(store: Store) -> str:
    return f"donations/{store.id}"


def mark_name(store: Store) -> str:
    return f"mark:{store.id}"


def takes_donations(store: Store) -> bool:
    return store.basis is Basis.DONATION and store.effort is not None


def read_ledger(database: Database, store: Store, now: datetime) -> int:
    """Mark every yes to the store's effort since the last look; the number of positions read."""
    names = {"cursor": cursor_name(store), "now": now}
    with database.begin(as_release()) as session:
        session.execute(_CURSOR, names)
        cursor = session.execute(_READ, names).one()
        stop = min(cursor.position + AT_ONCE, -1 if cursor.newest is None else cursor.newest + 1)
        if stop <= cursor.position:
            return 0
        bound = {"store": store.id, "mark": mark_name(store), "effort": store.effort, "now": now}
        session.execute(_MARK, {**bound, "start": cursor.position, "stop": stop})
        session.execute(_MOVE, {**names, "stop": stop})
        return int(stop - cursor.position)


def due_marks(session: Session, store: Store, now: datetime, many: int = 100) -> Sequence[Mark]:
    """The donations to look at now, the longest waiting first; needs the release role."""
    rows = session.execute(_DUE, {"store": store.id, "now": now, "many": many})
    return [Mark(row.id, row.person_id, row.decision_version, row.attempts, row.made_at) for row in rows]


def record_changed(database: Database, person: UUID, now: datetime) -> int:
    """A retrieval of this person has finished: look at their donations again. Repeating it does no harm."""
    with database.begin(as_persons(person)) as session:
        return _count(session.execute(_RECORD_CHANGED, {"person": person, "now": now}))


def catch_up(database: Database, now: datetime, back: timedelta = timedelta(hours=1)) -> int:
    """Look again wherever a retrieval finished after the last look: for a worker that died before `record_changed`."""
    with database.begin(as_release()) as session:
        return _count(session.execute(_MISSED, {"since": now - back, "now": now}))


def _count(result: object) -> int:
    assert isinstance(result, CursorResult)
    return int(result.rowcount)
