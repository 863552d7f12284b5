"""What the pages of a request for one's record say: its stages, what can be noted, and what was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from flask_babel import format_date

from fhir_bridge.access.clock import Doubt, Event, EventKind, Stage, Standing, Wrong
from vocabulary.phrase import Phrase, phrase

STAGES: dict[Stage, tuple[str, Phrase]] = {
    Stage.WRITTEN: ("", phrase("letter written")),
    Stage.ASKED: ("part", phrase("the clinic has time")),
    Stage.EXTENDED: ("part", phrase("the clinic took more time")),
    Stage.LATE: ("late", phrase("late")),
    Stage.CAME: ("yes", phrase("it came")),
    Stage.REFUSED: ("no", phrase("the clinic said no")),
    Stage.WITHDRAWN: ("", phrase("you do not need it any more")),
}
"""Shape and word of each stage."""

SUMMARIES: dict[EventKind, Phrase] = {
    EventKind.ASKED: phrase("The clinic got my letter"),
    EventKind.EXTENDED: phrase("The clinic says it needs more time"),
    EventKind.PART: phrase("Only a part came"),
    EventKind.CAME: phrase("My record came"),
    EventKind.REFUSED: phrase("The clinic said no"),
    EventKind.WITHDRAWN: phrase("I do not need it any more"),
    EventKind.COMPLAINED: phrase("I complained"),
    EventKind.REOPENED: phrase("It is not over"),
}
DAYS: dict[EventKind, Phrase] = {
    EventKind.ASKED: phrase("The day it got my letter"),
    EventKind.EXTENDED: phrase("The day they told me"),
    EventKind.PART: phrase("The day it came"),
    EventKind.CAME: phrase("The day it came"),
    EventKind.REFUSED: phrase("The day they told me"),
    EventKind.COMPLAINED: phrase("The day I complained"),
}
"""The label of each date; a kind without one happens on the day it is noted."""

HISTORY: dict[EventKind, Phrase] = {
    EventKind.ASKED: phrase("The clinic got the letter"),
    EventKind.EXTENDED: phrase("The clinic asked for more time"),
    EventKind.PART: phrase("A part came"),
    EventKind.CAME: phrase("The record came"),
    EventKind.REFUSED: phrase("The clinic said no"),
    EventKind.WITHDRAWN: phrase("You did not need it any more"),
    EventKind.COMPLAINED: phrase("You complained"),
    EventKind.REOPENED: phrase("You said it is not over"),
}
DOUBTS: dict[Doubt, Phrase] = {
    Doubt.TOLD_TOO_LATE: phrase("The clinic asked for more time after the first 30 days. The law does not count that."),
    Doubt.NO_REASON: phrase("The clinic gave no reason for more time. Without one, the law does not count it."),
    Doubt.NO_DATE: phrase("The clinic named no date. Without one, the law gives it no more time."),
    Doubt.SECOND: phrase("The clinic may take more time only once. The second time does not count."),
    Doubt.TOO_LONG: phrase("The clinic named a day past 60 days. The law gives it 60 days and no more."),
}
WRONG: dict[Wrong, Phrase] = {
    Wrong.IN_THE_FUTURE: phrase("Choose today or a day before."),
    Wrong.BEFORE_ASKED: phrase("Choose a day after the clinic got your letter."),
    Wrong.LONG_AGO: phrase("This day is many years ago. Look at the year."),
    Wrong.UNTIL_BEFORE_TOLD: phrase("Choose a day after they told you."),
}
NO_DAY = phrase("Choose the day.")
UNREADABLE_DAY = phrase("We cannot read this day. Write it like 2026-12-31.")
LONG_REASON = phrase("This is too long. Make it shorter.")


WRITTEN = phrase("You wrote the letter")


def happened(written_on: date, events: Sequence[Event]) -> list[tuple[date, Phrase, date | None]]:
    """What became of a letter by the day on which it happened: the day, what, and until when if that was said."""
    lines: list[tuple[date, Phrase, date | None]] = [(written_on, WRITTEN, None)]
    lines += [(event.on, HISTORY[event.kind], event.until) for event in events]
    return sorted(lines, key=lambda line: line[0])


def lead_of(stands: Standing) -> Phrase:
    """Where it stands, in one sentence."""
    return _LEADS[stands.stage](stands)


def _written(_stands: Standing) -> Phrase:
    return phrase("Your letter is ready. Print it, sign it and give it to the clinic. Then tell us the day.")


def _asked(stands: Standing) -> Phrase:
    if not stands.days_left:
        return phrase("Today is the last day. The clinic has until the end of %(due)s.", due=_day(stands.due))
    return phrase(
        "The clinic has until %(due)s. Days left: %(n)s.",
        due=_day(stands.due),
        n=stands.days_left,
    )


def _extended(stands: Standing) -> Phrase:
    return phrase(
        "The clinic took more time. It now has until %(due)s. Days left: %(n)s.",
        due=_day(stands.due),
        n=stands.days_left,
    )


def _late(stands: Standing) -> Phrase:
    return phrase(
        "The clinic is late. It had until %(due)s. Days late: %(n)s.",
        due=_day(stands.due),
        n=stands.late_by,
    )


def _came(stands: Standing) -> Phrase:
    if stands.late_by:
        return phrase(
            "Your record came on %(day)s. Days late: %(n)s.",
            day=_day(stands.ended_on),
            n=stands.late_by,
        )
    return phrase("Your record came on %(day)s.", day=_day(stands.ended_on))


def _refused(stands: Standing) -> Phrase:
    return phrase("The clinic said no on %(day)s. You have ways to answer that.", day=_day(stands.ended_on))


def _withdrawn(_stands: Standing) -> Phrase:
    return phrase("You do not need this record any more. Nothing more will happen here.")


_LEADS = {
    Stage.WRITTEN: _written,
    Stage.ASKED: _asked,
    Stage.EXTENDED: _extended,
    Stage.LATE: _late,
    Stage.CAME: _came,
    Stage.REFUSED: _refused,
    Stage.WITHDRAWN: _withdrawn,
}


def _day(value: date | None) -> str:
    return format_date(value, "long") if value else ""
