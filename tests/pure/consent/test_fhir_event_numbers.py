"""The event number that a Consent on a FHIR server stands for."""

from __future__ import annotations

import pytest

from consent.stores.fhir_resources import EVENT, event_in


@pytest.mark.parametrize(
    ("value", "number"),
    [("1", 1), (str(2**53 - 1), 2**53 - 1), (str(2**53), 0), ("9" * 5_000, 0), ("-1", 0), ("²", 0), ("", 0)],
)
def test_every_number_that_we_send_is_read_again(value: str, number: int) -> None:
    """SUB-07: up to 2**53, as receipts and comparisons have it; anything else is not ours."""
    assert event_in({"identifier": [{"system": EVENT, "value": value}]}) == number
