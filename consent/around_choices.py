"""What the pages about choices need beside the decisions, in one query (benchmarks, G6.2: two for a page): how the
outside knows the persons, what their practices are called, and what holds a new yes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.coverage import KnownAs
from consent.duo.limits import BOUNDS, Bounds, bounds_from
from database.keyring import KeyRing

_AROUND = text(
    f"""
    SELECT 'bound' AS tag, b.*, NULL AS practice, NULL AS system, NULL AS name FROM ({BOUNDS}) b
    UNION ALL
    SELECT 'alias', NULL, a.issued_by, NULL, NULL, NULL, a.practice, a.system, p.name
    FROM (SELECT issued_by, coalesce(practice_id, issued_by || '-main') AS practice, system FROM person_alias
          WHERE person_id = ANY (:persons)) a LEFT JOIN practice p ON p.id = a.practice
    UNION ALL
    SELECT 'coded', NULL, store_id, NULL, NULL, NULL, NULL, NULL, NULL FROM store_subject
    WHERE person_id = ANY (:persons)
    """  # noqa: S608  # a constant of this room
)


@dataclass(frozen=True)
class Around:
    """`practices`: id and name of each practice that knows the persons; `ends`: when each effort that is over ended."""

    known: KnownAs
    practices: dict[str, str]
    bounds: Bounds
    ends: dict[str, datetime]


def read_around(session: Session, ring: KeyRing, persons: Sequence[UUID], states: Mapping[str, str]) -> Around:
    """In the persons' context; `states` maps a provider's id to its state (from `providers.toml`)."""
    rows = session.execute(_AROUND, {"persons": list(persons)}).all()
    bound, aliases, coded = ([row for row in rows if row.tag == tag] for tag in ("bound", "alias", "coded"))
    known = KnownAs(
        frozenset((row.practice, row.system) for row in aliases),
        frozenset(states[row.form] for row in aliases if row.form in states),
        frozenset(row.form for row in coded),
    )
    practices = {row.practice: row.name or row.practice for row in sorted(aliases, key=lambda row: row.practice)}
    ends = {row.ended: row.ended_at for row in bound if row.ended is not None}
    return Around(known, practices, bounds_from(ring, bound), ends)
