"""An opt-out that a store has not confirmed in time becomes a task of staff; once confirmed, the task closes itself.

At most so many open tasks per store: one store's long silence is one trouble, not one per person. What is counted in
all stands with the store (`overdue.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text

from consent.coverage import PATIENT_ID
from consent.feed.read_events import CONCERNS
from consent.overdue import REACHED
from consent.store_config import Store
from database.context import as_propagation
from database.unit_of_work import Database

KIND = "opt-out-overdue"
MOST_TASKS = 100
LOOKED_AT = 1_000
"""How many of the oldest are looked at in a store that is far behind."""

# A store still owes a person: it was not told yet, it has set the event aside, or it answered without confirming.
_OWED = (
    "(SELECT q.person_id, q.version, d.recorded_at, d.practice_id FROM position q"  # noqa: S608 - constants
    f" JOIN decision d ON d.id = q.decision_id WHERE q.position >= :cursor AND {CONCERNS} AND {REACHED}"
    "  ORDER BY q.position LIMIT :look)"
    " UNION ALL (SELECT q.person_id, q.version, d.recorded_at, d.practice_id FROM parked_item k"
    "  JOIN position q ON q.position = k.position JOIN decision d ON d.id = q.decision_id"
    "  WHERE k.store_id = :store AND k.resolved_at IS NULL ORDER BY q.position LIMIT :look)"
    " UNION ALL (SELECT u.person_id, u.version, u.recorded_at, d.practice_id FROM unconfirmed_event u"
    "  JOIN decision d ON d.person_id = u.person_id AND d.version = u.version"
    "  WHERE u.store_id = :store ORDER BY u.event_number LIMIT :look)"
)
_OPEN = text(
    "INSERT INTO staff_task (id, person_id, practice_id, store_id, kind, detail, opened_at, due_at)"  # noqa: S608 - constants
    " SELECT gen_random_uuid(), o.person_id, coalesce(o.practice_id, a.practice), :store, :kind,"
    " jsonb_build_object('version', o.version), :now, o.recorded_at + CAST(:deadline AS interval)"
    f" FROM (SELECT DISTINCT ON (person_id) * FROM ({_OWED}) every ORDER BY person_id, version DESC) o"
    " JOIN decision d ON d.person_id = o.person_id AND d.version = o.version AND d.answer = 'no'"
    " LEFT JOIN LATERAL (SELECT min(coalesce(practice_id, issued_by || '-main')) AS practice FROM person_alias"
    "   WHERE person_id = o.person_id) a ON true"
    " WHERE o.recorded_at < :cutoff AND NOT EXISTS (SELECT 1 FROM staff_task t WHERE t.store_id = :store"
    "   AND t.person_id = o.person_id AND t.kind = :kind AND (t.detail ->> 'version')::int = o.version)"
    " ORDER BY o.recorded_at LIMIT greatest(0, :most - (SELECT count(*) FROM staff_task"
    "   WHERE store_id = :store AND kind = :kind AND closed_at IS NULL))"
)
_CLOSE = text(
    "UPDATE staff_task t SET closed_at = :now FROM position q WHERE t.store_id = :store AND t.kind = :kind"
    " AND t.closed_at IS NULL AND q.person_id = t.person_id AND q.version = (t.detail ->> 'version')::int"
    " AND q.position < :cursor AND NOT EXISTS (SELECT 1 FROM parked_item k WHERE k.store_id = :store"
    "   AND k.position = q.position AND k.resolved_at IS NULL)"
    " AND NOT EXISTS (SELECT 1 FROM unconfirmed_event u WHERE u.store_id = :store AND u.person_id = q.person_id"
    "   AND u.version = q.version)"
)
_CURSOR = text("SELECT position FROM store_cursor WHERE store_id = :store")


def keep_overdue_tasks(database: Database, stores: Sequence[Store], now: datetime) -> None:
    """Open and close such tasks for every store that is told of opt-outs. `database` is the worker's login."""
    for store in stores:
        if not store.is_told:
            continue
        with database.begin(as_propagation()) as session:
            bound = {
                "store": store.id, "kind": KIND, "now": now, "most": MOST_TASKS, "look": LOOKED_AT,
                "deadline": store.deadline,
                "cutoff": now - store.deadline, "cursor": int(session.scalar(_CURSOR, {"store": store.id}) or 0),
                "basis": store.basis.value, "effort": store.effort, "via": store.via_cancerlinq,
                "system": store.identifier_system, "technical": PATIENT_ID, "anywhere": not store.practices,
                "practices": sorted(store.practices),
            }  # fmt: skip
            session.execute(_CLOSE, {name: bound[name] for name in ("store", "kind", "now", "cursor")})
            session.execute(_OPEN, bound)
