"""Under which version a delivery goes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consent.decision import ALL_CATEGORIES, Answer
from consent.donors import LastTold
from consent.efforts import Holds
from research.permission import Permit, version_to_send
from research.selection import Chosen

VERSIONS = st.integers(min_value=1, max_value=50)


def permit(version: int) -> Permit:
    return Permit(version, Chosen(ALL_CATEGORIES, frozenset(), Holds.DE_IDENTIFIED))


def test_a_first_delivery_goes_under_the_yes() -> None:
    """SUB-10: the feed may tell the yes before or after it."""
    assert version_to_send(permit(3), None) == 3


@given(VERSIONS, VERSIONS)
def test_it_stands_above_what_was_told(own: int, known: int) -> None:
    """SUB-09: never below what the store knows; a newer no is never overtaken, for then nothing goes."""
    assert version_to_send(permit(own), LastTold(known, Answer.YES)) == max(own, known)
    after_no = version_to_send(permit(own), LastTold(known, Answer.NO))
    assert after_no == (own if own > known else None)
