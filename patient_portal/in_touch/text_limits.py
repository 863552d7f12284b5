"""Settings of texts: where they may go, how fast, and how many in a day and in 30 days (threats.md abuse 14)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from notifications.budget import Budget
from notifications.numbers import DEFAULT_COUNTRIES, is_country
from vocabulary.config_file import ConfigError


@dataclass(frozen=True)
class TextLimits:
    """Countries (ISO 3166-1) that are texted, campaign messages per second, and the budget in segments."""

    countries: frozenset[str] = DEFAULT_COUNTRIES
    per_second: int = 1
    budget: Budget = field(default_factory=Budget)


def read_text_limits(text: Callable[[str], str | None], number: Callable[[str, int], int]) -> TextLimits:
    """The limits from the environment; ConfigError for a country or a pace that cannot be."""
    named = re.split(r"[\s,]+", (text("PORTAL_TEXT_COUNTRIES") or ",".join(sorted(DEFAULT_COUNTRIES))).upper())
    if unknown := [country for country in named if not is_country(country)]:
        raise ConfigError("PORTAL_TEXT_COUNTRIES", f"names {unknown[0]!r}", "Write two letters each, such as US,PR")
    usual = Budget()
    day, month = number("PORTAL_TEXTS_PER_DAY", usual.day), number("PORTAL_TEXTS_PER_MONTH", usual.month)
    per_second = number("PORTAL_TEXTS_PER_SECOND", 1)
    if per_second < 1:
        raise ConfigError("PORTAL_TEXTS_PER_SECOND", "is 0", "Set it to what your messaging service may send")
    return TextLimits(frozenset(named), per_second, replace(usual, day=day, month=month))
