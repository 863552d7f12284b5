"""Geography and age, as coarse as Safe Harbor asks (45 CFR 164.514(b)(2)(i)(B) and (C); HIP-20, HIP-21)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from research.deidentify.codes import listed

_LISTS = tomllib.loads((Path(__file__).parent / "zip3.toml").read_text(encoding="utf-8"))
RESTRICTED: frozenset[str] = frozenset(_LISTS["restricted"])
KNOWN: frozenset[str] = frozenset(_LISTS["known"])
TOO_FEW = "000"
OLDEST = 89

STATES = listed(
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK "
    "OR PA RI SC SD TN TX UT VT VA WA WV WI WY PR VI GU AS MP"
)
_UNITED_STATES = frozenset({"", "US", "USA", "UNITED STATES", "UNITED STATES OF AMERICA"})
_ZIP = re.compile(r"([0-9]{5})(?:-?[0-9]{4})?")


def is_american(country: str) -> bool:
    """Whether an address may be read as one in the United States; none given counts as one."""
    return country.strip().upper() in _UNITED_STATES


def zip3(postal_code: str) -> str:
    """The first three digits, or `000` where few live, the prefix is unknown, or the code cannot be read.

    Four digits are a ZIP code that lost its leading zero in a spreadsheet (3601 was 03601), eight a ZIP+4 that did.
    """
    digits = postal_code.strip()
    if re.fullmatch(r"[0-9]{4}(-[0-9]{4})?", digits) or re.fullmatch(r"[0-9]{8}", digits):
        digits = "0" + digits
    match = _ZIP.fullmatch(digits)
    if match is None:
        return TOO_FEW
    prefix = match[1][:3]
    return prefix if prefix in KNOWN and prefix not in RESTRICTED else TOO_FEW


def state_code(state: str) -> str | None:
    """The two letters of a state or territory; anything else may be a smaller place and is dropped."""
    letters = state.strip().upper()
    return letters if letters in STATES else None


def year_of(date: str) -> int | None:
    """The year of a FHIR date, dateTime or instant; None when it is none."""
    match = re.fullmatch(r"([12][0-9]{3})(-[0-9]{2}(-[0-9]{2}(T[^\s]*)?)?)?", date)
    return int(match[1]) if match else None


def year_may_leave(year: int, this_year: int) -> bool:
    """A year so long ago that it tells of an age over 89 is an element of age and stays (item C)."""
    return this_year - OLDEST <= year <= this_year + 5


def is_over_89(birth_year: int | None, this_year: int) -> bool:
    """Whether the person is, or could this year become, older than 89; unknown counts as older."""
    return birth_year is None or this_year - birth_year > OLDEST
