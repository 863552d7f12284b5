"""RFC 9562 section 5.7: ids of decisions stand in the order of their time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vocabulary.time_ordered_id import RANDOM_BYTES, time_ordered_id

MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(5000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
CHANCE = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)


@example(datetime(2526, 9, 19, 2, 23, 31, 556000, tzinfo=UTC), b"\xff" * 10, b"\0" * 10)
@given(MOMENTS, CHANCE, CHANCE)
def test_later_ids_are_greater(moment: datetime, one: bytes, other: bytes) -> None:
    """RFC 9562 5.7: version 7, the usual variant, and the time first."""
    first, later = time_ordered_id(moment, one), time_ordered_id(moment + timedelta(milliseconds=1), other)
    assert (first.version, first.variant) == (7, RFC_4122)
    assert first < later
    assert first.int >> 80 == (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@given(MOMENTS, CHANCE)
def test_chance_is_kept(moment: datetime, chance: bytes) -> None:
    """RFC 9562 5.7: all but the six bits of version and variant stay random."""
    kept = ~(0xF << 76 | 0x3 << 62) & (2**80 - 1)
    assert time_ordered_id(moment, chance).int & kept == int.from_bytes(chance, "big") & kept


def test_what_is_no_moment_or_chance() -> None:
    with pytest.raises(ValueError, match="1970"):
        time_ordered_id(datetime(1960, 1, 1, tzinfo=UTC), b"x" * RANDOM_BYTES)
    with pytest.raises(ValueError, match="ten random bytes"):
        time_ordered_id(datetime(2026, 1, 1, tzinfo=UTC), b"x")
