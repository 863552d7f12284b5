"""`portal ledger verify`: every row against its leaf, every leaf against tiles and heads, in constant memory.

For the maintenance login, since a leaf covers the whole row, sealed evidence included. The ledger is read in runs of
positions, each in a short transaction: what is added meanwhile is not looked at, and nothing else ever changes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.ledger_audit import Audit, HeadToMeet
from consent.ledger_findings import Fault, Finding
from consent.ledger_hashes import LedgerIncomplete, read_hashes
from consent.ledger_rows import AuditedRow, audited
from consent.published_heads import PublishedHead
from consent.seal import head_of_row, is_genuine_head
from consent.tiles import WIDTH, TileStack, partial_spans
from database.context import as_nobody
from database.unit_of_work import Database

TILES_AT_ONCE = 16
DECISIONS_AT_ONCE = 10_000
_ENDS = text(
    "SELECT (SELECT coalesce(max(position) + 1, 0) FROM position) AS top,"
    " (SELECT coalesce(max(size), 0) FROM tree_head) AS head, (SELECT min(position) FROM position) AS lowest"
)
_ROWS = text(
    "SELECT p.position, p.decision_id AS placed_decision, p.person_id AS placed_person, p.version AS placed_version,"
    " p.leaf, p.version = 1 OR EXISTS (SELECT 1 FROM position q WHERE q.person_id = p.person_id"
    "  AND q.version = p.version - 1 AND q.position < p.position) AS follows, d.*"
    " FROM position p LEFT JOIN decision d ON d.id = p.decision_id"
    " WHERE p.position >= :start AND p.position < :stop ORDER BY p.position"
)
_HEADS = text("SELECT * FROM tree_head WHERE size > :start AND size <= :stop ORDER BY size")
_TILES = text(
    "SELECT level, number, root FROM ledger_tile WHERE level = :level AND number >= :start AND number < :stop"
)
_EXTRA_TILES = text(
    "SELECT level, number FROM ledger_tile WHERE (number + 1) * (256::numeric ^ level) > :top ORDER BY 1, 2 LIMIT 100"
)
_UNPLACED = text(
    "SELECT d.id, p.position IS NULL AND NOT EXISTS (SELECT 1 FROM unsequenced u WHERE u.decision_id = d.id) AS lost"
    " FROM decision d LEFT JOIN position p ON p.decision_id = d.id"
    " WHERE CAST(:after AS uuid) IS NULL OR d.id > CAST(:after AS uuid) ORDER BY d.id LIMIT :most"
)


@dataclass
class Report:
    """What was looked at and what was found. `covered`: positions under a signed head."""

    start: int
    positions: int = 0
    covered: int = 0
    heads_met: int = 0
    published_met: int = 0
    published_not_ours: int = 0
    findings: list[Finding] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        return {
            "sound": not self.findings,
            "from": self.start,
            "positions": self.positions,
            "covered_by_heads": self.covered,
            "heads_met": self.heads_met,
            "published_heads_met": self.published_met,
            "published_heads_not_signed_by_us": self.published_not_ours,
            "findings": [finding.as_json() for finding in self.findings],
        }


def verify_ledger(
    database: Database,
    public_keys: dict[str, bytes],
    published: Sequence[PublishedHead] = (),
    *,
    start: int = 0,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Report:
    """Audit the ledger from the tile that holds position `start` on. `public_keys`: of the heads, by id.

    `published`: heads kept elsewhere, smallest first; those not genuine are counted and otherwise ignored.
    """
    start -= start % WIDTH
    held_to = [
        HeadToMeet(head.size, head.root, published=True) for head in published if head.genuine and head.size > start
    ]
    with database.begin(as_nobody()) as session:
        ends = session.execute(_ENDS).one()
        tree, broken = _tree_at(session, start)
    stop = max(ends.top, ends.head, held_to[-1].size if held_to else 0)
    report = Report(start, covered=max(stop if held_to else 0, ends.head))
    report.published_not_ours = sum(not head.genuine for head in published)
    audit = Audit(tree, findings=broken, sound=start)
    if ends.lowest is not None and ends.lowest < 0:
        audit.findings.append(Finding(Fault.INSERTED, ends.lowest, -1))
    for first in range(start, stop, TILES_AT_ONCE * WIDTH):
        last = min(first + TILES_AT_ONCE * WIDTH, stop)
        with database.begin(as_nobody()) as session:
            report.positions += _some(session, audit, public_keys, held_to, first, last, report)
        progress(last, stop)
    report.findings = audit.finish() + _without_place(database) + _tiles_beyond(database, stop)
    report.heads_met, report.published_met = audit.heads_met, audit.published_met
    return report


def _tree_at(session: Session, start: int) -> tuple[TileStack, list[Finding]]:
    partial = partial_spans(start)
    try:
        read = read_hashes(session, [span for span in partial if span.bytes])
    except LedgerIncomplete:
        missing = Finding(Fault.TILE_MISSING, 0, start - 1, None, "run again without --from")
        return TileStack(start, [bytes(span.bytes) for span in partial]), [missing]
    return TileStack(start, [read.get(span, b"") for span in partial]), []


def _some(
    session: Session,
    audit: Audit,
    public_keys: dict[str, bytes],
    held_to: Sequence[HeadToMeet],
    first: int,
    last: int,
    report: Report,
) -> int:
    """Audit the positions from `first` up to `last`; returns how many rows there were."""
    rows = [audited(row) for row in session.execute(_ROWS, {"start": first, "stop": last}).mappings()]  # type: ignore[arg-type]  # a row is read by its columns' names
    stored = _genuine_heads(session, audit, public_keys, first, last)
    kept = _tiles(session, first, last)
    for tile in range(first, last, WIDTH):
        end = min(tile + WIDTH, last)
        outside = _between(held_to, tile, end)
        heads = _merged(audit, stored, outside, tile, end)
        audit.tile(_within(rows, tile, end), end - tile, heads, kept, sealed=end <= report.covered)
    return len(rows)


def _genuine_heads(
    session: Session, audit: Audit, public_keys: dict[str, bytes], first: int, last: int
) -> dict[int, HeadToMeet]:
    found = {}
    for row in session.execute(_HEADS, {"start": first, "stop": last}):
        if is_genuine_head(head_of_row(row), public_keys):
            found[row.size] = HeadToMeet(row.size, bytes(row.root))
        else:
            audit.findings.append(Finding(Fault.HEAD_FORGED, row.size - 1, row.size - 1, None, f"key {row.key_id}"))
    return found


def _merged(
    audit: Audit, stored: dict[int, HeadToMeet], outside: Sequence[HeadToMeet], start: int, stop: int
) -> list[HeadToMeet]:
    """Heads kept here and elsewhere; where the two differ, the one kept elsewhere counts: it cannot be forged here."""
    heads = {size: head for size, head in stored.items() if start < size <= stop}
    for head in outside:
        if head.size not in stored:
            audit.findings.append(Finding(Fault.HEAD_MISSING, head.size - 1, head.size - 1))
        elif stored[head.size].root != head.root:
            audit.findings.append(Finding(Fault.HEAD_FORGED, head.size - 1, head.size - 1, None, "published otherwise"))
        heads[head.size] = head
    return [heads[size] for size in sorted(heads)]


def _between(heads: Sequence[HeadToMeet], start: int, stop: int) -> Sequence[HeadToMeet]:
    low, high = bisect_right(heads, start, key=_size), bisect_right(heads, stop, key=_size)
    return list({head.size: head for head in heads[low:high]}.values())


def _size(head: HeadToMeet) -> int:
    return head.size


def _within(rows: Sequence[AuditedRow], start: int, stop: int) -> Sequence[AuditedRow]:
    low, high = (bisect_left(rows, edge, key=lambda row: row.position) for edge in (start, stop))
    return rows[low:high]


def _tiles(session: Session, first: int, last: int) -> dict[tuple[int, int], bytes]:
    """The kept tiles that end within these positions."""
    found: dict[tuple[int, int], bytes] = {}
    level, start, stop = 1, first // WIDTH, last // WIDTH
    while stop > start:
        bound = {"level": level, "start": start, "stop": stop}
        found |= {(row.level, row.number): bytes(row.root) for row in session.execute(_TILES, bound)}
        level, start, stop = level + 1, start // WIDTH, stop // WIDTH
    return found


def _without_place(database: Database) -> list[Finding]:
    """Decisions that have no position and do not wait for one."""
    found: list[Finding] = []
    after: Any = None
    while True:
        with database.begin(as_nobody()) as session:
            rows = session.execute(_UNPLACED, {"after": after, "most": DECISIONS_AT_ONCE}).all()
        found += [Finding(Fault.INSERTED, -1, -1, row.id, "a decision without a position") for row in rows if row.lost]
        if len(rows) < DECISIONS_AT_ONCE:
            return found
        after = rows[-1].id


def _tiles_beyond(database: Database, stop: int) -> list[Finding]:
    with database.begin(as_nobody()) as session:
        rows = session.execute(_EXTRA_TILES, {"top": stop}).all()
    return [
        Finding(Fault.TILE_FORGED, row.number * WIDTH**row.level, (row.number + 1) * WIDTH**row.level - 1)
        for row in rows
    ]
