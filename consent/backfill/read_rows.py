"""What stands, as rows that PostgreSQL's COPY takes: read set by set for a warehouse, and named here.

The same as `read_standing` makes of it, without a `Decision` for each. Each join is lateral behind `OFFSET 0`: a part
of a backfill finds its rows by their keys, whatever the planner believes of a run that it cannot see.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.coverage import PATIENT_ID
from consent.feed.read_events import CONCERNS
from consent.person_identity import alias_place
from consent.store_config import Basis, Kind, Store
from consent.wire import Line
from database.keyring import KeyRing, SealBroken

# After system and value: the columns of `warehouse_tables.COLUMNS`. None of them can hold a tab or a backslash.
_TAIL = (
    "E'\\tcancerlinq\\t\\t' || d.answer || E'\\t{}\\t' || d.version || E'\\t' || q.position || E'\\t' || d.recorded_at"
    " || E'\\n'"
)
_STANDING = text(
    "SELECT t.position, t.version, t.person, a.id::text, a.system, a.value_sealed, t.tail"  # noqa: S608 - constants
    f" FROM (SELECT q.position, d.version, q.person_id, q.person_id::text AS person, {_TAIL} AS tail"
    "  FROM position q CROSS JOIN LATERAL (SELECT version, choice, effort_id, answer, starts_at, recorded_at"
    "   FROM decision WHERE id = q.decision_id OFFSET 0) d"
    f"  WHERE q.position >= :start AND q.position < :stop AND (NOT :only_no OR d.answer = 'no') AND {CONCERNS}"
    "  AND NOT EXISTS (SELECT 1 FROM position later JOIN decision e ON e.id = later.decision_id"
    "   WHERE later.person_id = q.person_id AND later.position > q.position AND later.position < :standing_at"
    f"   AND {CONCERNS.replace('d.', 'e.')} OFFSET 0)"
    "  ORDER BY q.position LIMIT :most) t"
    " LEFT JOIN LATERAL (SELECT id, created_at, system, value_sealed FROM person_alias"
    "  WHERE person_id = t.person_id AND (CASE WHEN CAST(:system AS text) IS NULL THEN system <> :patient_id"
    "   ELSE system = :system END) AND (NOT :some OR coalesce(practice_id, issued_by || '-main')"
    "   = ANY (CAST(:practices AS text[]))) OFFSET 0) a ON true"
    " ORDER BY t.position, a.created_at, a.id"
)
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def is_filled_by_rows(store: Store) -> bool:
    """Whether a backfill of this store goes as rows: a warehouse, which knows people by a hospital's names."""
    return store.kind is Kind.SQL and store.basis is Basis.OPERATIONS


def read_rows(
    session: Session, ring: KeyRing, store: Store, run: tuple[int, int], standing_at: int, *, most: int, only_no: bool
) -> tuple[list[Line], int]:
    """What `read_standing` reads of the run, each as one row for COPY without its number; and where it ends."""
    start, stop = run
    bound = {
        **{"start": start, "stop": stop, "standing_at": standing_at, "most": most, "only_no": only_no},
        **{"basis": store.basis.value, "effort": store.effort, "via": store.via_cancerlinq},
        **{"system": store.identifier_system, "patient_id": PATIENT_ID},
        **{"some": bool(store.practices), "practices": sorted(store.practices)},
    }
    found = session.execute(_STANDING, bound).all()
    last, positions, rows, opens = -1, 0, list[Line](), ring.open
    for position, version, person, alias, system, sealed, tail in found:
        if position != last:
            last, positions = position, positions + 1
        if alias is None:
            continue  # this store has nobody by a name of theirs
        try:
            value = opens(sealed, alias_place(alias)).decode()
        except (SealBroken, UnicodeDecodeError):
            rows.append(Line(position, version, person, b""))
        else:
            rows.append(Line(position, version, person, f"\t{escaped(system)}\t{escaped(value)}{tail}".encode()))
    return rows, stop if positions < most else last + 1


def escaped(value: str) -> str:
    """A value as the text format of COPY spells it (PostgreSQL manual, COPY, File Formats)."""
    return value if value.isprintable() and "\\" not in value else value.translate(_ESCAPES)
