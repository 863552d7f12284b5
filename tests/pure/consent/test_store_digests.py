"""When a store's contact is written to: at once, after a further deadline, then daily; never for what is confirmed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.store_digests import DAY, HOUR, Earlier, next_step

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
QUARTER, WEEK = 15 * MINUTE, timedelta(days=7)


@pytest.mark.parametrize(
    ("step", "ago", "oldest_ago", "deadline", "expected"),
    [
        (1, 14 * MINUTE, HOUR, QUARTER, None),
        (1, 15 * MINUTE, HOUR, QUARTER, 2),
        (2, 23 * HOUR, 2 * DAY, QUARTER, None),
        (2, DAY, 2 * DAY, QUARTER, 3),
        (9, 6 * DAY, 30 * DAY, WEEK, None),
        (9, 7 * DAY, 30 * DAY, WEEK, 10),
        (1, 1 * MINUTE, HOUR, timedelta(seconds=10), None),
        (5, 30 * MINUTE, 20 * MINUTE, QUARTER, None),
        (5, HOUR, 20 * MINUTE, QUARTER, 1),
        (5, HOUR, 20 * MINUTE, DAY, None),
    ],
)  # fmt: skip
def test_when_the_next_mail_goes(
    step: int, ago: timedelta, oldest_ago: timedelta, deadline: timedelta, expected: int | None
) -> None:
    """SUB-08: the first two a deadline apart, then one a day; a new silence begins anew, an hour later."""
    assert next_step(Earlier(step, NOW - ago), NOW - oldest_ago, deadline, NOW) == expected


def test_the_first_mail_goes_at_once() -> None:
    """SUB-08: silence past the deadline is told without a further wait."""
    assert next_step(None, NOW - MINUTE, QUARTER, NOW) == 1


@given(st.integers(10, 3_000_000), st.lists(st.booleans(), min_size=200, max_size=400))
def test_a_flapping_store_gets_few_mails(deadline_seconds: int, confirmed: list[bool]) -> None:
    """Issue 3: one mail for a store and a period, however often it confirms and falls silent in between."""
    deadline, earlier, sent = timedelta(seconds=deadline_seconds), None, 0
    oldest = NOW
    for minute, done in enumerate(confirmed):
        at = NOW + minute * MINUTE
        if done:
            oldest = at
        step = next_step(earlier, oldest, deadline, at)
        if step is not None:
            earlier, sent = Earlier(step, at), sent + 1
    assert sent <= 2 + len(confirmed) / 30
