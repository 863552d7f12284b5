"""Where a request for one's record stands by the law's clock (45 CFR 164.524(b)(2); HIP-01). Pure.

The clinic acts no later than 30 days after it received the request. It may take up to 30 more, once, when it says so in
writing within the first 30 days with the reason and the date on which it will be done. Weekends and holidays count like
other days. Nobody writes down that a request is late: the clock says it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

LIMIT = timedelta(days=30)
LONGEST = timedelta(days=60)
OLDEST = timedelta(days=6 * 365)
"""Further back than the law asks anybody to keep papers about it (45 CFR 164.530(j)) is a slip of the hand."""


class EventKind(StrEnum):
    """What a person notes. `REOPENED` takes back that it is over; a newer `ASKED` mends the day."""

    ASKED = "asked"
    EXTENDED = "extended"
    PART = "part"
    CAME = "came"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    COMPLAINED = "complained"
    REOPENED = "reopened"


class Stage(StrEnum):
    WRITTEN = "written"
    ASKED = "asked"
    EXTENDED = "extended"
    LATE = "late"
    CAME = "came"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Doubt(StrEnum):
    """Why what the clinic said about more time does not count, or not wholly."""

    TOLD_TOO_LATE = "told-too-late"
    NO_REASON = "no-reason"
    NO_DATE = "no-date"
    SECOND = "second"
    TOO_LONG = "too-long"


ENDS = {EventKind.CAME: Stage.CAME, EventKind.REFUSED: Stage.REFUSED, EventKind.WITHDRAWN: Stage.WITHDRAWN}
NEXT: dict[Stage, tuple[EventKind, ...]] = {
    Stage.WRITTEN: (EventKind.ASKED, EventKind.WITHDRAWN),
    Stage.ASKED: (EventKind.CAME, EventKind.PART, EventKind.EXTENDED, EventKind.REFUSED, EventKind.ASKED,
                  EventKind.WITHDRAWN),
    Stage.EXTENDED: (EventKind.CAME, EventKind.PART, EventKind.REFUSED, EventKind.EXTENDED, EventKind.ASKED,
                     EventKind.WITHDRAWN),
    Stage.LATE: (EventKind.COMPLAINED, EventKind.CAME, EventKind.PART, EventKind.REFUSED, EventKind.EXTENDED,
                 EventKind.ASKED, EventKind.WITHDRAWN),
    Stage.CAME: (EventKind.REOPENED, EventKind.COMPLAINED),
    Stage.REFUSED: (EventKind.COMPLAINED, EventKind.REOPENED),
    Stage.WITHDRAWN: (EventKind.REOPENED,),
}  # fmt: skip


@dataclass(frozen=True)
class Event:
    """One thing that happened on a day. `until` and `reason` belong to EXTENDED, as the clinic wrote them; `reason`
    also to REFUSED."""

    kind: EventKind
    on: date
    until: date | None = None
    reason: str = ""


@dataclass(frozen=True)
class Standing:
    """How it stands on a day. `day` counts from 0, the day the clinic got the letter. `due` is the last day in time;
    `late_by` how many days after it things came, or now are; `first_due` what it was before more time was taken."""

    stage: Stage
    asked_on: date | None = None
    day: int = 0
    first_due: date | None = None
    due: date | None = None
    days_left: int = 0
    late_by: int = 0
    ended_on: date | None = None
    part_on: date | None = None
    complained_on: date | None = None
    reason: str = ""
    doubts: tuple[Doubt, ...] = ()

    @property
    def next(self) -> tuple[EventKind, ...]:
        """What can be noted now."""
        return NEXT[self.stage]


def standing(events: Sequence[Event], today: date) -> Standing:
    """How a request stands on `today`, from everything noted about it in the order of noting."""
    asked = _last(events, EventKind.ASKED)
    end = _end(events)
    if asked is None:
        if end is None:
            return Standing(Stage.WRITTEN)
        return Standing(ENDS[end.kind], ended_on=end.on, reason=end.reason)
    until, doubts = more_time([event for event in events if event.kind is EventKind.EXTENDED], asked.on)
    due = until or asked.on + LIMIT
    measured = end.on if end else today
    late_by = max(0, (measured - due).days)
    stage = ENDS[end.kind] if end else Stage.LATE if late_by else Stage.EXTENDED if until else Stage.ASKED
    part, complained = _last(events, EventKind.PART), _last(events, EventKind.COMPLAINED)
    return Standing(
        stage=stage,
        asked_on=asked.on,
        day=(measured - asked.on).days,
        first_due=asked.on + LIMIT,
        due=due,
        days_left=max(0, (due - today).days),
        late_by=late_by,
        ended_on=end.on if end else None,
        part_on=part.on if part else None,
        complained_on=complained.on if complained else None,
        reason=end.reason if end else "",
        doubts=doubts,
    )


def more_time(said: Sequence[Event], asked_on: date) -> tuple[date | None, tuple[Doubt, ...]]:
    """Until when the clinic may take, or None when nothing it said counts; and why what it said falls short.

    The first notice with a reason and a date, told on day 30 or before, counts, up to day 60; every other does not.
    """
    until: date | None = None
    doubts: list[Doubt] = []
    for event in said:
        if until is not None:
            doubts.append(Doubt.SECOND)
        elif event.on > asked_on + LIMIT:
            doubts.append(Doubt.TOLD_TOO_LATE)
        elif not event.reason.strip():
            doubts.append(Doubt.NO_REASON)
        elif event.until is None:
            doubts.append(Doubt.NO_DATE)
        else:
            until = max(asked_on + LIMIT, min(event.until, asked_on + LONGEST))
            if event.until > asked_on + LONGEST:
                doubts.append(Doubt.TOO_LONG)
    return until, tuple(dict.fromkeys(doubts))


class Wrong(StrEnum):
    """Why a day that a person gave cannot be noted."""

    IN_THE_FUTURE = "in-the-future"
    BEFORE_ASKED = "before-asked"
    LONG_AGO = "long-ago"
    UNTIL_BEFORE_TOLD = "until-before-told"


def wrong_with(event: Event, events: Sequence[Event], today: date) -> dict[str, Wrong]:
    """What cannot be right, by field (`on`, `until`); empty when it can be noted."""
    asked, found = _last(events, EventKind.ASKED), dict[str, Wrong]()
    if event.on > today:
        found["on"] = Wrong.IN_THE_FUTURE
    elif event.on < today - OLDEST:
        found["on"] = Wrong.LONG_AGO
    elif asked and event.kind not in (EventKind.ASKED, EventKind.REOPENED) and event.on < asked.on:
        found["on"] = Wrong.BEFORE_ASKED
    if event.until is not None and event.until < event.on:
        found["until"] = Wrong.UNTIL_BEFORE_TOLD
    return found


def _last(events: Sequence[Event], kind: EventKind) -> Event | None:
    return next((event for event in reversed(events) if event.kind is kind), None)


def _end(events: Sequence[Event]) -> Event | None:
    """The event that ended it and was not taken back since."""
    ended: Event | None = None
    for event in events:
        if event.kind in ENDS:
            ended = event
        elif event.kind is EventKind.REOPENED:
            ended = None
    return ended
