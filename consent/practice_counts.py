"""What staff report by practice: how many people are out of CancerLinQ, how many opted out lately, how many cases.

Counted by sets across persons, once an hour, and kept as numbers beside the operator's other counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from database.context import as_propagation
from database.unit_of_work import Database

EVERY = timedelta(hours=1)
LATELY = timedelta(days=30)
WHAT = ("out", "lately", "by-staff", "cases-open", "cases-closed")
"""People who are out now; opt-outs of the last 30 days, and of those the ones that a care team recorded; open cases;
cases closed in the last 30 days."""

_NEWEST = text("SELECT max(looked_at) FROM standing_count WHERE name LIKE 'practice:%'")
_COUNT = text(
    "WITH known AS (SELECT DISTINCT person_id, coalesce(practice_id, issued_by || '-main') AS practice"
    "  FROM person_alias),"
    " newest AS (SELECT DISTINCT ON (person_id) person_id, answer FROM decision WHERE choice = 'cancerlinq'"
    "  ORDER BY person_id, version DESC),"
    " recent AS (SELECT person_id, actor_kind FROM decision WHERE choice = 'cancerlinq' AND answer = 'no'"
    "  AND recorded_at > :since AND actor_kind <> 'system'),"
    " counted AS ("
    "  SELECT k.practice, 'out' AS what, count(*) AS value FROM newest n JOIN known k USING (person_id)"
    "   WHERE n.answer = 'no' GROUP BY 1"
    "  UNION ALL SELECT k.practice, 'lately', count(DISTINCT r.person_id) FROM recent r JOIN known k USING (person_id)"
    "   GROUP BY 1"
    "  UNION ALL SELECT k.practice, 'by-staff', count(DISTINCT r.person_id) FROM recent r"
    "   JOIN known k USING (person_id) WHERE r.actor_kind = 'care-team' GROUP BY 1"
    "  UNION ALL SELECT practice_id, 'cases-open', count(*) FROM staff_task"
    "   WHERE closed_at IS NULL AND practice_id IS NOT NULL GROUP BY 1"
    "  UNION ALL SELECT practice_id, 'cases-closed', count(*) FROM staff_task"
    "   WHERE closed_at > :since AND practice_id IS NOT NULL GROUP BY 1)"
    " INSERT INTO standing_count (name, value, oldest_at, looked_at)"
    " SELECT 'practice:' || practice || ':' || what, value, NULL, :now FROM counted"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value, looked_at = excluded.looked_at"
)
_GONE = text("DELETE FROM standing_count WHERE name LIKE 'practice:%' AND looked_at < :now")
_READ = text("SELECT name, value, looked_at FROM standing_count WHERE name LIKE 'practice:%' ORDER BY name")


def count_practices(database: Database, now: datetime) -> bool:
    """Count anew when the last count is an hour old; whether it counted. `database` is the worker's login."""
    with database.begin(as_propagation()) as session:
        last = session.scalar(_NEWEST)
        if last is not None and now - last < EVERY:
            return False
        session.execute(_COUNT, {"now": now, "since": now - LATELY})
        session.execute(_GONE, {"now": now})
    return True


def read_practices(session: Session) -> tuple[Mapping[str, Mapping[str, int]], datetime | None]:
    """The numbers by practice and what they count, and when they were counted; for any login."""
    found: dict[str, dict[str, int]] = {}
    counted: datetime | None = None
    for name, value, looked_at in session.execute(_READ):
        practice, _, what = name.removeprefix("practice:").rpartition(":")
        found.setdefault(practice, {})[what] = value
        counted = looked_at
    return found, counted
