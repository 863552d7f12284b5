"""What a person may be told about: each topic in plain words, how it is told, and what its messages may do. Pure.

The ways a topic goes by are decided here, from what the person chose: see `ways_for`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from notifications.texts import Kind
from vocabulary.phrase import Phrase, phrase

Way = Literal["sms", "email", "letter"]
WAYS: tuple[Way, ...] = ("sms", "email", "letter")
"""The order is also that of preference where a person has not chosen."""


@dataclass(frozen=True)
class Topic:
    """One row of the preference centre.

    `kind`: which words go out. `by_text`: texts about it were part of the words every person agreed to when they
    turned texts on; others need a yes of their own (SMS-01). `wanted`: told unless the person says no; else only
    after a yes. `must_reach`: when no other way is left, a letter goes. `started`: the service starts it, so quiet
    hours, pauses and ceilings hold it, and several waiting ones become one.
    """

    id: str
    name: Phrase
    about: Phrase
    kind: Kind
    by_text: bool = False
    wanted: bool = True
    must_reach: bool = False
    started: bool = True


TOPICS: dict[str, Topic] = {
    topic.id: topic
    for topic in (
        Topic(
            "security",
            phrase("Sign-in safety"),
            phrase("Someone new signed in to your record, or your number or e-mail address was changed."),
            "security", by_text=True, started=False,
        ),
        Topic(
            "confirmations",
            phrase("Your choices, confirmed"),
            phrase("You said yes or no to sharing, and we recorded it."),
            "update", by_text=True, started=False,
        ),
        Topic(
            "care-team",
            phrase("Your care team acted for you"),
            phrase("A nurse or doctor recorded a choice for you. If no other way works, we send a letter."),
            "changed-for-you", by_text=True, must_reach=True, started=False,
        ),
        Topic(
            "seen",
            phrase("Our staff looked at your page"),
            phrase("Somebody on our staff opened your page without a case about you, and gave a reason."),
            "update", started=False,
        ),
        Topic(
            "late",
            phrase("Something takes too long"),
            phrase("A place that holds your data has not confirmed your choice in time."),
            "late", by_text=True,
        ),
        Topic(
            "re-consent",
            phrase("Words to read again"),
            phrase("A form you signed has changed in a way that matters. You can read it and decide again."),
            "look-again",
        ),
        Topic(
            "access-clock",
            phrase("Records you asked a clinic for"),
            phrase("The law gives a clinic 30 days to answer. We remind you on days 20, 30 and 60."),
            "reminder", by_text=True,
        ),
        Topic(
            "new-records",
            phrase("New entries in your record"),
            phrase("Your hospital sent something new. We only say that there is something, not what it is."),
            "new", wanted=False,
        ),
        Topic(
            "results",
            phrase("What your data helped to find"),
            phrase("An effort you gave data to has results for everyone who took part."),
            "news", wanted=False,
        ),
        Topic(
            "reminders",
            phrase("Reminders you set"),
            phrase("You asked us to remind you of something on a day you chose."),
            "reminder", by_text=True,
        ),
    )
}  # fmt: skip


def ways_for(topic: Topic, open_ways: Collection[Way], chosen: Mapping[Way, bool]) -> tuple[Way, ...]:
    """By which ways a person is told of `topic`.

    `open_ways`: proven and not stopped (STOP closes `sms`, an unsubscribe closes `email`, a postal address opens
    `letter`). `chosen`: the person's own yes or no to this topic by each way. Every way with a yes is taken. Without
    a yes, a topic that is wanted goes by the first way that is open and was not refused; so nobody is told twice who
    did not ask for it. A topic that must reach the person goes by letter when nothing else is left.
    """
    yes = tuple(way for way in WAYS if way in open_ways and chosen.get(way))
    if yes:
        return yes
    if topic.wanted:
        for way in WAYS:
            allowed = {"sms": topic.by_text, "email": True, "letter": False}[way]
            if way in open_ways and allowed and chosen.get(way) is not False:
                return (way,)
    return ("letter",) if topic.must_reach else ()


def as_way(channel: str) -> Way:
    """The way that a contact point is for."""
    for way in WAYS:
        if way == channel:
            return way
    raise ValueError("no such way")
