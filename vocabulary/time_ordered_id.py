"""Ids that begin with their time, so that new rows stand together in an index (RFC 9562 section 5.7, UUID version 7).

At ten million people they took a quarter off the log that a decision writes (docs/benchmarks/scale-findings.md).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

RANDOM_BYTES = 10
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def time_ordered_id(moment: datetime, chance: bytes) -> UUID:
    """The version 7 id of `moment` (aware, to the millisecond) with 74 of the 80 bits of `chance` (10 random bytes)."""
    milliseconds = (moment - EPOCH) // timedelta(milliseconds=1)
    if not 0 <= milliseconds < 2**48 or len(chance) != RANDOM_BYTES:
        raise ValueError("a moment from 1970 on and ten random bytes are needed")
    number = milliseconds << 80 | int.from_bytes(chance, "big")
    number = number & ~(0xF << 76) | 7 << 76  # the version
    return UUID(int=number & ~(0x3 << 62) | 0x2 << 62)  # and the variant
