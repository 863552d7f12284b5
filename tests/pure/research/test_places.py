"""ZIP codes and states: the ZIP3 rule, prefix by prefix."""

from __future__ import annotations

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from research.deidentify.places import KNOWN, RESTRICTED, is_over_89, state_code, zip3
from tests.support.testdata import testdata


def test_all_62_restricted_prefixes_become_000() -> None:
    """HIP-21: the union of the HHS list and those by later censuses, every one, in each form of a ZIP code."""
    union = json.loads(testdata("hipaa/restricted_zip3.json").read_text())["union_of_all"]
    assert len(union) == 62
    assert set(union) == RESTRICTED
    for prefix in union:
        assert {zip3(prefix + "01"), zip3(prefix + "01-1234"), zip3(prefix + "011234")} == {"000"}


def test_every_prefix_of_the_census_is_placed() -> None:
    """HIP-21: a prefix leaves only when the survey counts more than 20,000 people in it and no list restricts it."""
    with testdata("hipaa/zip3_state_population_acs2022.csv").open() as file:
        people = {row["zip3"]: int(row["acs2022_zcta_population"]) for row in csv.DictReader(file)}
    assert set(people) - RESTRICTED == KNOWN
    assert all(people[prefix] > 20_000 for prefix in KNOWN)
    for number in range(1000):
        prefix = f"{number:03d}"
        assert zip3(prefix + "10") == (prefix if prefix in KNOWN else "000")


@pytest.mark.parametrize(
    ("code", "leaves"),
    [
        ("80205", "802"), ("80205-1234", "802"), ("802051234", "802"), (" 80205 ", "802"),
        ("3601", "000"), ("03601", "000"), ("2139", "021"), ("2139-4307", "021"), ("21394307", "021"),
        ("802", "000"), ("8", "000"), ("", "000"), ("SW1A 1AA", "000"), ("K1A 0B1", "000"), ("80205-12", "000"),
        ("8020512345", "000"), ("٨٠٢٠٥", "000"), ("80205\n12 Elm", "000"), ("00000", "000"),
    ],
)  # fmt: skip
def test_zip_codes_in_every_shape(code: str, leaves: str) -> None:
    """HIP-21: nine digits, short, foreign, and a leading zero lost (3601 was 03601)."""
    assert zip3(code) == leaves


@given(st.text(max_size=12))
def test_whatever_is_given_three_digits_leave(code: str) -> None:
    """HIP-21: the answer is 000 or a prefix that may leave, whatever stands in the field."""
    assert zip3(code) in KNOWN | {"000"}


@pytest.mark.parametrize(("state", "leaves"), [("CO", "CO"), ("co ", "CO"), ("Colorado", None), ("Denver", None)])
def test_only_states_leave(state: str, leaves: str | None) -> None:
    """HIP-20 B: nothing smaller than a state, and nothing that only might be one."""
    assert state_code(state) == leaves


def test_an_unknown_year_of_birth_counts_as_over_89() -> None:
    """HIP-20 C: in doubt the coarser."""
    assert is_over_89(None, 2026)
    assert not is_over_89(1937, 2026)
    assert is_over_89(1936, 2026)
