"""When somebody comes of age, by state, and what a minor keeps to themselves: the table, read and checked (HIP-15)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path

from consent.authority.rules import born_of_age_on
from consent.decision import SensitiveClass

_TABLE = Path(__file__).with_name("majority.toml")


@cache
def ages() -> tuple[int, Mapping[str, int]]:
    """The age where no other is named, and the states that have their own. ValueError for a table that is no table."""
    found = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    states = dict(found["states"])
    if not all(len(state) == 2 and state.isupper() and 18 <= age <= 21 for state, age in states.items()):
        raise ValueError("majority.toml: a state is two letters, an age is 18 to 21")
    return int(found["age"]), states


@cache
def own_care() -> frozenset[SensitiveClass]:
    """The kinds of care that a minor may have alone. ValueError for a kind that there is not."""
    found = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return frozenset(SensitiveClass(kind) for kind in found["own_care"]["kinds"])


def of_age_on(born: date | None, states: set[str]) -> date | None:
    """The day on which somebody born then is an adult. `states`: where they live or are treated, by postal code.

    Of several states the earliest age counts: in doubt the person decides for themselves. None without a birth date.
    """
    if born is None:
        return None
    age, others = ages()
    return born_of_age_on(born, min((others.get(state, age) for state in states), default=age))
