"""What became of a text."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.status import Remedy, higher, remedy_for

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


def test_ten_thousand_events_end_as_the_oracle_says() -> None:
    """SMS-10, abuse 13: 10,000 reports on 500 texts, doubled and shuffled three times: each ends as an oracle that only
    looks which words were ever said, and no step goes back."""
    luck = random.Random(13)
    life = ["accepted", "queued", "sending", "sent"]
    events: list[tuple[int, str]] = []
    for text in range(500):
        end = luck.choice(["delivered", "undelivered", "failed", "read", "canceled", ""])
        said = [*life[: luck.randrange(1, 5)], *(["delivered"] if end == "read" else []), *([end] if end else [])]
        events += [(text, word) for word in said for _ in range(luck.randrange(1, 4))]
    events = (events * 3)[:10_000]
    best = ["read", "delivered", "undelivered", "failed", "canceled", "sent", "sending", "queued", "accepted"]
    said_of = {text: {word for one, word in events if one == text} for text in range(500)}
    oracle = {text: next(word for word in best if word in said_of[text] or word == "accepted") for text in said_of}
    for _ in range(3):
        luck.shuffle(events)
        held = dict.fromkeys(range(500), "accepted")
        for text, word in events:
            after = higher(held[text], word)
            assert best.index(after) <= best.index(held[text])
            held[text] = after
        assert held == oracle


def test_delivered_stays_delivered() -> None:
    """SMS-10: `delivered` then `sent` stays delivered."""
    assert higher("delivered", "sent") == "delivered"
    assert higher("sent", "delivered") == "delivered"
    assert higher("delivered", "read") == "read"


def test_unknown_status_is_kept_but_ends_nothing() -> None:
    """SMS-10: an unknown status is stored; a known end still comes after it."""
    assert higher("sent", "teleported") == "teleported"
    assert higher("teleported", "delivered") == "delivered"
    assert len(higher("sent", "x" * 10_000)) <= 40


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("21610", Remedy.OPTED_OUT), ("30003", Remedy.RETRY_LATER), ("30005", Remedy.NUMBER_INVALID),
        ("30006", Remedy.NUMBER_INVALID), ("30007", Remedy.ALERT), ("30008", Remedy.RETRY_ONCE),
        ("30034", Remedy.STOP_ALL), ("21211", Remedy.NUMBER_INVALID), ("21614", Remedy.NUMBER_INVALID),
        ("21408", Remedy.ALERT), ("20429", Remedy.RETRY_LATER), ("99999", Remedy.ALERT), ("no-answer", Remedy.ALERT),
        (None, Remedy.NONE), ("", Remedy.NONE), ("smtp-550", Remedy.NONE), ("smtp-550-5.1.1", Remedy.NUMBER_INVALID),
    ],
)  # fmt: skip
def test_errors_and_remedies(code: str | None, remedy: Remedy) -> None:
    """SMS-11: each error has one remedy; what is not known is alarmed."""
    assert remedy_for(code) is remedy
