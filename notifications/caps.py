"""How often: ceilings on texts the service starts, and on codes that someone asks for (SMS-07, threats.md abuse 14)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

PER_DAY = 1
PER_WEEK = 3
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True)
class CodeCap:
    """At most `count` codes within `seconds`, counted per `what` (a number, an account, an address, the service)."""

    what: str
    count: int
    seconds: int


CODE_CAPS = (
    CodeCap("number", 3, 3600),
    CodeCap("number-day", 6, 86_400),
    CodeCap("account", 5, 3600),
    CodeCap("address", 10, 3600),
    CodeCap("prefix", 30, 3600),
    CodeCap("service", 2000, 86_400),
)


def next_under_caps(sent: Iterable[datetime], now: datetime) -> datetime:
    """The first moment from `now` on at which one more started text keeps within 1 a day and 3 a week."""
    recent = sorted(moment for moment in sent if now - moment < _WEEK)
    moment = now
    if len([one for one in recent if moment - one < _DAY]) >= PER_DAY:
        moment = max(moment, recent[-PER_DAY] + _DAY)
    if len(recent) >= PER_WEEK:
        moment = max(moment, recent[-PER_WEEK] + _WEEK)
    return moment


def window_start(now: datetime, seconds: int) -> datetime:
    """The start of the fixed window of `seconds` in which `now` lies."""
    return datetime.fromtimestamp(now.timestamp() // seconds * seconds, tz=now.tzinfo)
