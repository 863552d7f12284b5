"""What a case is made of: data that says what is sent to a store and what has to come back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from consent.decision import Answer
from consent.receipts import State
from consent.store_config import Basis

OBEYED = frozenset({State.APPLIED, State.NOTHING_HELD, State.ACCEPTED})
NO, YES = Answer.NO, Answer.YES


class Craft(StrEnum):
    """How a message is made: as it should be, or wrong in one way (`forge.py`)."""

    PLAIN = "as it should be"
    UNSIGNED = "without a signature"
    FORGED = "signed with another secret"
    OTHER_BODY = "with the signature of another body"
    OTHER_ID = "with the signature of another webhook-id"
    STALE = "signed six minutes ago"
    FUTURE = "signed for six minutes from now"
    YEAR_OLD = "signed a year ago"
    NO_TIME = "with a timestamp that is no number"
    UNKNOWN_SCHEME = "signed as v2 only"
    UNKNOWN_FIRST = "signed twice, first with a secret that the store has not got yet"
    UNKNOWN_LAST = "signed twice, last with a secret that the store no longer has"
    CUT = "signed, but the body ends in the middle"
    GARBAGE = "signed, but the body is neither of the two formats"
    HTML = "signed, but called text/html"
    EXTRA = "with fields that are not in the contract"
    UNKNOWN_KIND = "of a kind that is not in the contract"
    POISONED = "with one event in the middle that is of no known kind"
    EMPTY = "without any event"
    TWICE = "with the same event twice"


class Expect(StrEnum):
    """What has to come back (`judge.py`)."""

    RECEIPTS = "200, signed, a receipt for each event"
    SAME = "the receipts that were given before"
    UNAUTHORIZED = "401"
    TURNED_DOWN = "4xx"
    REFUSED_OR_DOWN = "refused in a receipt, or 4xx for the whole"
    GREETED = "200, signed, no receipts"
    NOTHING_OR_DOWN = "200, signed, no receipts; or 4xx"
    ONCE_OR_DOWN = "one and the same receipt, or 4xx"
    ALL_OR_NONE = "taken as a whole or not at all"


@dataclass(frozen=True)
class Tell:
    """One event: an invented person (a letter in its case), a version, an answer. `other_choice`: of the kind that is
    not this store's business; `other_system`: under an identifier system that the store cannot know."""

    who: str
    version: int
    answer: Answer = NO
    other_choice: bool = False
    other_system: bool = False


@dataclass(frozen=True)
class Holds:
    """The store takes `who` in, with `entries`; `twice`: as two people under one identifier. For a store of donations a
    yes of version 1 goes before."""

    who: str
    entries: int = 3
    twice: bool = False


@dataclass(frozen=True)
class Say:
    """One message with `tells` in it. `name` remembers it; `again` sends a remembered one once more, same id and
    body, signed now. `skip` leaves event numbers out before it, and `fill` uses those left out."""

    tells: tuple[Tell, ...] = ()
    craft: Craft = Craft.PLAIN
    expect: Expect = Expect.RECEIPTS
    states: frozenset[State] = OBEYED
    name: str = ""
    again: str = ""
    skip: int = 0
    fill: bool = False
    removed: int | None = None
    same_events_as: str = ""


@dataclass(frozen=True)
class Many:
    """One message with `count` events, each about another person whom the store does not hold."""

    count: int


@dataclass(frozen=True)
class Greet:
    """A handshake or heartbeat; `ahead`: it names that many events more than the store was told."""

    kind: Literal["handshake", "heartbeat"]
    ahead: int = 0
    craft: Craft = Craft.PLAIN
    expect: Expect = Expect.GREETED


@dataclass(frozen=True)
class Feeds:
    """The store's next feed brings `who`; `taken` says whether the store may take them in."""

    who: str
    taken: bool


@dataclass(frozen=True)
class Slips:
    """A mistake in the store: `who` is in its data again, past its rule."""

    who: str


@dataclass(frozen=True)
class Compares:
    """Asked what is in force, the store says `answer` for the newest event about `who`; passed over where the store
    cannot be compared. `answer` is what holds in its data, whatever it was told."""

    who: str
    answer: Answer


@dataclass(frozen=True)
class Finds:
    """What the store now says of `who`. None is not looked at; `version` 0 means that it knows no decision.
    `unless`: nothing is asked of a store whose newest receipt for them had this state."""

    who: str
    entries: int | None = None
    answer: Answer | None = None
    version: int | None = None
    unless: State | None = None


@dataclass(frozen=True)
class Misses:
    """Whether the store knows that event numbers are missing."""

    some: bool


@dataclass(frozen=True)
class Keeps:
    """The store does at once what it only `accepted`, and says so in later receipts."""


@dataclass(frozen=True)
class Slowly:
    """Half of `slow` is sent; then `meanwhile` has to be answered; then the rest is sent."""

    slow: Tell
    meanwhile: Tell


@dataclass(frozen=True)
class HangUp:
    """Half of a message is sent, and the connection ends."""

    tell: Tell


@dataclass(frozen=True)
class Stands:
    """As `Compares`, with the answer of the newest event about `who` that was taken."""

    who: str


@dataclass(frozen=True)
class Overtakes:
    """`late` is on its way, what stands there has been read, when `newer` comes by another sender and is taken."""

    late: Tell
    newer: Tell


Step = (
    Holds
    | Say
    | Many
    | Greet
    | Feeds
    | Slips
    | Compares
    | Finds
    | Misses
    | Keeps
    | Slowly
    | HangUp
    | Stands
    | Overtakes
)


@dataclass(frozen=True)
class Case:
    """One case. `requirement` is what it shows; `people` gives the identifiers of people who need particular ones
    (`{run}` is different in every run); `only` restricts it to stores of one basis."""

    id: str
    requirement: str
    shows: str
    steps: tuple[Step, ...]
    people: Mapping[str, str] = field(default_factory=dict)
    only: Basis | None = None
