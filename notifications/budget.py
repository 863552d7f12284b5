"""How much may be spent on texts: ceilings per number, person, prefix, day and month (threats.md abuse 14). Pure.

A ceiling is counted in segments, which is what a network bills. When the day's or the month's is used up, the breaker
is open: what can wait waits for the next window. What is essential, an opt-out and its confirmation, never waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from notifications.caps import window_start
from notifications.numbers import PREFIX_DIGITS

DAY, MONTH = 86_400, 30 * 86_400


@dataclass(frozen=True)
class Budget:
    """Segments that may leave: to one number, to one person and to one prefix in a day; in all in a day and in 30."""

    number_day: int = 12
    person_day: int = 15
    prefix_day: int = 600
    day: int = 50_000
    month: int = 1_000_000


@dataclass(frozen=True)
class Ceiling:
    """At most `most` segments in each fixed window of `seconds`, counted under `subject`."""

    name: str
    subject: str
    most: int
    seconds: int

    def ends(self, now: datetime) -> datetime:
        """When the window in which `now` lies is over."""
        return window_start(now.astimezone(UTC), self.seconds) + timedelta(seconds=self.seconds)


def ceilings(budget: Budget, *, number: str, person: str) -> tuple[Ceiling, ...]:
    """The ceilings over one text, the narrowest first: rows that many texts share are locked last and for least."""
    return (
        Ceiling("number", f"number:{number}", budget.number_day, DAY),
        Ceiling("person", f"person:{person}", budget.person_day, DAY),
        Ceiling("prefix", f"prefix:{number[:PREFIX_DIGITS]}", budget.prefix_day, DAY),
        *over_all(budget),
    )


def over_all(budget: Budget) -> tuple[Ceiling, Ceiling]:
    """The two that are the breaker."""
    return Ceiling("day", "all:day", budget.day, DAY), Ceiling("month", "all:month", budget.month, MONTH)


def held_by(checked: Sequence[Ceiling], reached: Sequence[int]) -> Ceiling | None:
    """The ceiling that holds a text longest, when one is passed; `reached` are the counts with this text in them."""
    passed = [one for one, count in zip(checked, reached, strict=True) if count > one.most]
    return max(passed, key=lambda one: one.seconds, default=None)
