"""Receipts by column: what all say stands once, and nothing of what a store signed is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from consent.kept_receipts import kept
from consent.receipts import AlikeReceipts, State, StoreReceipt

RECEIPTS = st.lists(
    st.builds(
        StoreReceipt,
        event=st.just(1),
        version=st.integers(1, 3),
        state=st.sampled_from(State),
        removed=st.none() | st.integers(0, 2),
        stopped=st.none() | st.booleans(),
        reference=st.none() | st.sampled_from(["R-1", "a,b"]),
    ),
    min_size=1,
    max_size=6,
)


def as_signed(detail: dict[str, Any], place: int) -> dict[str, Any]:
    """One receipt again, without its event."""
    own = {
        name: int(values.split(",")[place]) if isinstance(values, str) else values[place]
        for name, values in detail["columns"].items()
    }
    return {**detail["each"], **{name: value for name, value in own.items() if value is not None}}


def without_event(receipts: Sequence[StoreReceipt]) -> list[dict[str, Any]]:
    return [{name: value for name, value in one.as_detail().items() if name != "event"} for one in receipts]


@given(RECEIPTS)
def test_each_receipt_can_be_had_again(receipts: list[StoreReceipt]) -> None:
    """SUB-08: whatever many stores say, alike or not."""
    made = kept(receipts)
    detail = orjson.loads(made.as_json())
    assert [as_signed(detail, place) for place in range(len(receipts))] == without_event(receipts)
    assert made.states == {one.state for one in receipts}
    assert made.removed == sum(one.removed or 0 for one in receipts)


def test_alike_is_said_once() -> None:
    """G3.1: thousands that say the same take the room of one."""
    says = StoreReceipt(1, 1, State.APPLIED, removed=2, at="2026-11-22")
    alike = AlikeReceipts(range(5, 9), [1, 1, 2, 1], says)
    assert kept(alike) == kept(list(alike))
    assert kept(alike).as_json() == (
        '{"each":{"removed":2,"state":"applied","at":"2026-11-22"},"columns":{"version":"1,1,2,1"}}'
    )
    assert [(one.event, one.version) for one in alike] == [(5, 1), (6, 1), (7, 2), (8, 1)]
    assert list(alike[1:3]) == list(alike)[1:3]
    assert kept(alike).removed == 8
