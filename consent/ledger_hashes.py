"""Proofs out of stored hashes: O(log n) small reads whatever the ledger's size, in anybody's context."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.merkle import Range, consistency_ranges, inclusion_ranges
from consent.tiles import Span, range_hash, spans_of

_HASHES = text(
    "SELECT place, hashes FROM ledger_hashes(CAST(:levels AS int[]), CAST(:starts AS bigint[]),"
    " CAST(:stops AS bigint[]))"
)


class LedgerIncomplete(Exception):
    """Hashes that a signed head says are there are not: not yet made into tiles, or taken away."""


def read_hashes(session: Session, spans: Sequence[Span]) -> dict[Span, bytes]:
    """The hashes of each span, joined; one statement. LedgerIncomplete when any is missing."""
    if not spans:
        return {}
    bound = {
        "levels": [span.level for span in spans],
        "starts": [span.start for span in spans],
        "stops": [span.stop for span in spans],
    }
    found = {spans[row.place - 1]: bytes(row.hashes or b"") for row in session.execute(_HASHES, bound)}
    missing = [span for span in spans if len(found.get(span, b"")) != span.bytes]
    if missing:
        raise LedgerIncomplete(f"level {missing[0].level}, numbers {missing[0].start} to {missing[0].stop - 1}")
    return found


def read_range_hashes(session: Session, ranges: Sequence[Range]) -> list[bytes]:
    """The tree hash of each range of leaves, by one statement."""
    read = read_hashes(session, list(dict.fromkeys(spans_of(ranges))))
    return [range_hash(asked, read) for asked in ranges]


def inclusion_path(session: Session, position: int, size: int) -> list[bytes]:
    """The audit path of `position` in the tree of `size` leaves (RFC 9162 section 2.1.3)."""
    return read_range_hashes(session, inclusion_ranges(position, size))


def inclusion_paths(session: Session, positions: Sequence[int], size: int) -> list[list[bytes]]:
    """The audit paths of several positions, by one statement."""
    asked = [inclusion_ranges(position, size) for position in positions]
    hashes = iter(read_range_hashes(session, [each for ranges in asked for each in ranges]))
    return [[next(hashes) for _ in ranges] for ranges in asked]


def consistency_path(session: Session, first: int, size: int) -> list[bytes]:
    """The proof that the tree of `first` leaves is a prefix of that of `size` (RFC 9162 section 2.1.4)."""
    return read_range_hashes(session, consistency_ranges(first, size))


def read_leaf(session: Session, position: int) -> bytes:
    """The leaf at `position`; LedgerIncomplete when there is none."""
    span = Span(0, position, position + 1)
    return read_hashes(session, [span])[span]
