"""What became of a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.status import Remedy, higher, is_final, remedy_for

TWILIO = [
    "accepted", "scheduled", "queued", "sending", "sent", "delivered", "undelivered", "failed", "read", "canceled",
    "partially_delivered",
]  # fmt: skip


@given(reports=st.lists(st.sampled_from([*TWILIO, "teleported", "", "SENT "]), max_size=12), data=st.data())
def test_order_and_repetition_make_no_difference(reports: list[str], data: st.DataObject) -> None:
    """SMS-10: shuffled and doubled reports end in the same state, and the state never goes back."""

    def end(of: list[str]) -> str:
        state = "accepted"
        for report in of:
            state = higher(state, report)
            assert higher(state, "accepted") == state
        return state

    doubled = data.draw(st.permutations(reports + reports))
    assert end(reports) == end(doubled)


def test_delivered_stays_delivered() -> None:
    """SMS-10: `delivered` then `sent` stays delivered."""
    assert higher("delivered", "sent") == "delivered"
    assert higher("sent", "delivered") == "delivered"
    assert higher("delivered", "read") == "read"


def test_unknown_status_is_kept_but_ends_nothing() -> None:
    """SMS-10: an unknown status is stored; a known end still comes after it."""
    assert higher("sent", "teleported") == "teleported"
    assert not is_final("teleported")
    assert higher("teleported", "delivered") == "delivered"
    assert len(higher("sent", "x" * 10_000)) <= 40


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("21610", Remedy.OPTED_OUT), ("30003", Remedy.RETRY_LATER), ("30005", Remedy.NUMBER_INVALID),
        ("30006", Remedy.NUMBER_INVALID), ("30007", Remedy.ALERT), ("30008", Remedy.RETRY_ONCE),
        ("30034", Remedy.STOP_ALL), ("21211", Remedy.NUMBER_INVALID), ("21614", Remedy.NUMBER_INVALID),
        ("21408", Remedy.ALERT), ("20429", Remedy.RETRY_LATER), ("99999", Remedy.ALERT), ("no-answer", Remedy.ALERT),
        (None, Remedy.NONE), ("", Remedy.NONE),
    ],
)  # fmt: skip
def test_errors_and_remedies(code: str | None, remedy: Remedy) -> None:
    """SMS-11: each error has one remedy; what is not known is alarmed."""
    assert remedy_for(code) is remedy
