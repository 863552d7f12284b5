"""The clock of a request for one's record: every day at which the law turns, and what a clinic may say about it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_bridge.access.clock import ENDS, Doubt, Event, EventKind, Stage, Wrong, standing, wrong_with

DAY_0 = date(2026, 12, 1)
ASKED = Event(EventKind.ASKED, DAY_0)


def day(number: int) -> date:
    return DAY_0 + timedelta(days=number)


def more(told: int, until: int | None, reason: str = "The archive is moving") -> Event:
    return Event(EventKind.EXTENDED, day(told), None if until is None else day(until), reason)


@pytest.mark.parametrize(
    ("on", "stage", "left", "late"),
    [(0, Stage.ASKED, 30, 0), (29, Stage.ASKED, 1, 0), (30, Stage.ASKED, 0, 0), (31, Stage.LATE, 0, 1),
     (60, Stage.LATE, 0, 30), (61, Stage.LATE, 0, 31)],
)  # fmt: skip
def test_without_more_time(on: int, stage: Stage, left: int, late: int) -> None:
    """HIP-01: day 30 is in time and day 31 is late; Christmas and New Year in between give the clinic nothing."""
    found = standing([ASKED], day(on))
    assert (found.stage, found.days_left, found.late_by, found.due) == (stage, left, late, day(30))


@pytest.mark.parametrize(
    ("on", "stage", "late"),
    [(29, Stage.EXTENDED, 0), (30, Stage.EXTENDED, 0), (31, Stage.EXTENDED, 0), (60, Stage.EXTENDED, 0),
     (61, Stage.LATE, 1)],
)  # fmt: skip
def test_with_more_time(on: int, stage: Stage, late: int) -> None:
    """HIP-01: told on day 30, until day 60: day 60 is in time and day 61 is late."""
    found = standing([ASKED, more(30, 60)], day(on))
    assert (found.stage, found.late_by, found.due, found.first_due, found.doubts) == (stage, late, day(60), day(30), ())


@pytest.mark.parametrize(
    ("said", "due", "doubts"),
    [
        ([more(29, 45)], 45, ()),
        ([more(31, 60)], 30, (Doubt.TOLD_TOO_LATE,)),
        ([more(10, 60, " ")], 30, (Doubt.NO_REASON,)),
        ([more(10, None)], 30, (Doubt.NO_DATE,)),
        ([more(10, 75)], 60, (Doubt.TOO_LONG,)),
        ([more(10, 20)], 30, ()),
        ([more(10, 45), more(28, 60)], 45, (Doubt.SECOND,)),
        ([more(10, None), more(12, 50)], 50, (Doubt.NO_DATE,)),
    ],
)
def test_what_counts_as_more_time(said: list[Event], due: int, doubts: tuple[Doubt, ...]) -> None:
    """HIP-01: once, in writing within the first 30 days, with a reason and a date, and never past day 60."""
    found = standing([ASKED, *said], day(31))
    assert (found.due, found.doubts) == (day(due), doubts)
    assert (found.stage is Stage.LATE) == (due < 31)


def test_the_end_stops_the_clock_and_can_be_taken_back() -> None:
    """HIP-01, HIP-04: what came on day 33 was three days late for ever; a slip is taken back, nothing is erased."""
    came = Event(EventKind.CAME, day(33))
    over = standing([ASKED, came], day(90))
    assert (over.stage, over.late_by, over.day) == (Stage.CAME, 3, 33)
    again = standing([ASKED, came, Event(EventKind.REOPENED, day(34))], day(40))
    assert (again.stage, again.late_by) == (Stage.LATE, 10)
    no = standing([ASKED, Event(EventKind.REFUSED, day(5), reason="court papers")], day(40))
    assert (no.stage, no.late_by, no.reason) == (Stage.REFUSED, 0, "court papers")
    assert EventKind.COMPLAINED in no.next


def test_a_part_leaves_the_rest_due() -> None:
    """HIP-01: half a record does not stop the clock."""
    found = standing([ASKED, Event(EventKind.PART, day(12))], day(31))
    assert (found.stage, found.part_on) == (Stage.LATE, day(12))


def test_a_mended_day_moves_the_clock() -> None:
    """HIP-01: the newest day that the person gave is the one that counts; a letter not handed in has no clock."""
    assert standing([ASKED, Event(EventKind.ASKED, day(3))], day(33)).stage is Stage.ASKED
    assert standing([], day(500)).stage is Stage.WRITTEN
    assert standing([Event(EventKind.WITHDRAWN, day(1))], day(2)).stage is Stage.WITHDRAWN


@pytest.mark.parametrize(
    ("event", "wrong"),
    [
        (Event(EventKind.CAME, day(11)), {"on": Wrong.IN_THE_FUTURE}),
        (Event(EventKind.CAME, day(-1)), {"on": Wrong.BEFORE_ASKED}),
        (Event(EventKind.ASKED, day(-3000)), {"on": Wrong.LONG_AGO}),
        (more(5, 4), {"until": Wrong.UNTIL_BEFORE_TOLD}),
        (Event(EventKind.ASKED, day(-5)), {}),
        (Event(EventKind.CAME, day(10)), {}),
    ],
)
def test_a_day_that_cannot_be(event: Event, wrong: dict[str, Wrong]) -> None:
    """SEC-10: a day in the future, before the letter, or long ago is asked for again."""
    assert wrong_with(event, [ASKED], day(10)) == wrong


EVENTS = st.builds(
    Event,
    st.sampled_from(EventKind),
    st.integers(-5, 90).map(day),
    st.none() | st.integers(-5, 120).map(day),
    st.sampled_from(["", "a reason"]),
)


@given(st.lists(EVENTS, max_size=12), st.integers(0, 120))
def test_no_history_gives_a_clinic_more_than_sixty_days(events: list[Event], on: int) -> None:
    """HIP-01: whatever is noted in whatever order, due is between day 30 and day 60, and open past it is late."""
    found = standing(events, day(on))
    if found.asked_on is None or found.due is None:
        assert found.stage is not Stage.LATE
        return
    assert 30 <= (found.due - found.asked_on).days <= 60
    if found.stage not in set(ENDS.values()):
        assert (found.stage is Stage.LATE) == (day(on) > found.due)
