"""Each requirement that this version claims is named by a test, so that a claim can be traced to what shows it."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
CLAIMED = {
    "X": range(1, 10),
    "SMART": [*range(1, 7), *range(10, 16), *range(20, 24), *range(30, 37), *range(40, 50), *range(60, 66)],
    "LIB": range(1, 7),
    "FHIR": range(1, 20),
    "MC": range(1, 13),
    "CON": range(1, 14),
    "SUB": [3, 4, 7, 8, 9, 10, 11],
    "HIP": [1, 2, 3, 4, 5, 10, 11, 12, 13, 20, 21, 22, 23],
    "SMS": [1, 2, 3, 4, 5, 8, 9],
    "SEC": range(1, 14),
    "A11Y": range(1, 6),
    "LANG": [1, 2, 3],
    "DL": range(1, 6),
    "SHL": range(1, 4),
}  # fmt: skip
# Claimed by nothing yet, each with the reason; the list only gets shorter.
NOT_YET: dict[str, str] = {}


def named_in_tests() -> set[str]:
    """Every requirement id that a test's words cite; `SMART-01…03` counts for each in between."""
    found: set[str] = set()
    for path in TESTS.rglob("*.py"):
        if path.name == Path(__file__).name:
            continue
        for area, first, last in re.findall(
            r"\b([A-Z0-9]{1,5})-(\d\d)(?:(?:…|\.\.\.?)(\d\d))?", path.read_text("utf-8")
        ):
            for number in range(int(first), int(last or first) + 1):
                found.add(f"{area}-{number:02}")
        for area, listed in re.findall(r"\b([A-Z0-9]{1,5})-(\d\d(?:, \d\d)+)", path.read_text("utf-8")):
            found |= {f"{area}-{number}" for number in listed.split(", ")}
    return found


def test_every_claimed_requirement_is_named_by_a_test() -> None:
    """House: a claim without a test is only a claim."""
    claimed = {f"{area}-{number:02}" for area, numbers in CLAIMED.items() for number in numbers}
    assert sorted(claimed - named_in_tests() - set(NOT_YET)) == []


def test_what_is_said_to_be_missing_is_missing() -> None:
    """House: the list of what is not claimed yet is kept true."""
    assert sorted(set(NOT_YET) & named_in_tests()) == []
