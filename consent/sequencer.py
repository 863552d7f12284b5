"""One sequencer gives committed decisions their dense positions, in id order, and commits before anyone delivers.

A cursor over plain identity values would skip late committers, and one below `pg_snapshot_xmin` can order one
person's versions 2, 1 (decisions.md, Order and position). Ids are taken under the person's lock, so within one
person id order is version order.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text

from database.context import as_propagation
from database.unit_of_work import Database

LOCK_KEY = 7_015_001
AT_ONCE = 5_000
_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)")
_MOVE = text(
    "WITH moved AS (DELETE FROM unsequenced WHERE id IN (SELECT id FROM unsequenced ORDER BY id LIMIT :most)"
    " RETURNING id, decision_id, person_id, version, leaf)"
    " INSERT INTO position (position, decision_id, person_id, version, leaf, sequenced_at)"
    " SELECT (SELECT coalesce(max(position) + 1, 0) FROM position) + row_number() OVER (ORDER BY id) - 1,"
    " decision_id, person_id, version, leaf, :now FROM moved ORDER BY id"
)


def sequence_once(database: Database, now: datetime, most: int = AT_ONCE) -> int:
    """Give up to `most` waiting decisions their positions; returns how many. 0 also when another process does it.

    The lock is taken by its own statement, so that the move's snapshot begins after the previous holder's commit.
    """
    with database.begin(as_propagation()) as session:
        if not session.scalar(_LOCK, {"key": LOCK_KEY}):
            return 0
        moved = session.execute(_MOVE, {"most": most, "now": now})
        return int(moved.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has a rowcount
