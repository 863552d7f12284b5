"""Which day it is at a moment, and when a day is over: the same moment is two days in two places. Pure.

A law's or a paper's day is a day of the calendar where the service is, and none of UTC: there it is tomorrow already in
the evening of New York.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

FURTHEST_ZONE = timedelta(hours=14)
"""Somewhere it is already tomorrow: a day that somebody types is in the future only past this."""


def day_at(moment: datetime, zone: str) -> date:
    """The day of the calendar in `zone` (IANA) at `moment` (aware)."""
    return moment.astimezone(ZoneInfo(zone)).date()


def end_of(day: date, zone: str) -> datetime:
    """The moment, in UTC, at which `day` is over in `zone`: the next midnight there, however long the day was."""
    return datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone)).astimezone(UTC)
