"""How long to wait before asking again (FHIR-09, RFC 9110 section 10.2.3): decided here, slept elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

MAX_TRIES = 5
MAX_TRIES_WITHOUT_ANSWER = 2
WAITING_STATUSES = frozenset({429, 502, 503, 504})
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 60.0


def wait_before_retry(
    status: int | None, headers: Mapping[str, str], tries: int, left: float, now: datetime, chance: float
) -> float | None:
    """Seconds to wait before try number `tries` + 1, or None: give up.

    `status` None: the connection failed. `left`: seconds of waiting this retrieval may still spend. `chance`: a number
    in [0, 1) that spreads the waits of many retrievals. A Retry-After longer than what is left means giving up, since
    asking sooner than told would be rude and useless.
    """
    if tries >= (MAX_TRIES if status is not None else MAX_TRIES_WITHOUT_ANSWER) or (
        status is not None and status not in WAITING_STATUSES
    ):
        return None
    told = told_to_wait(headers, now)
    wait = told if told is not None else min(FIRST_WAIT_SECONDS * 2 ** (tries - 1), LONGEST_WAIT_SECONDS)
    if told is None:
        wait *= 0.5 + chance
    return wait if wait <= left else None


def told_to_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that Retry-After asks to wait, given as a number or a date; None when it asks for nothing."""
    value = next((text for name, text in headers.items() if name.lower() == "retry-after"), "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=now.tzinfo)
    return max(0.0, (when - now).total_seconds())
