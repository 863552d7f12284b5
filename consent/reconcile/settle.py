"""What to do about each difference: only ever less sharing by itself, the rest is for people. Pure (decisions.md)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from consent.decision import Answer


class Why(StrEnum):
    """Why a difference goes to a person."""

    KEEPS_OUT = "keeps-out"
    OLDER_ANSWER = "older-answer"
    NEVER_TOLD = "never-told"


@dataclass(frozen=True)
class Missing:
    """An event that should be in force there and is not, or says something else."""

    event: int
    position: int
    person: UUID
    answer: Answer


@dataclass(frozen=True)
class Extra:
    """An event in force there that should not be. `person` None: it was never told that number.

    `newest` is the position of what the person decided last that concerns the store, `newest_answer` its answer;
    `on_its_way`: the store was not told of it yet. `narrower`: it gives no more parts than this event gave.
    """

    event: int
    person: UUID | None = None
    newest: int = 0
    newest_answer: Answer = Answer.NO
    on_its_way: bool = False
    narrower: bool = False


@dataclass(frozen=True)
class ForPeople:
    """One difference that a person has to look at."""

    event: int
    person: UUID | None
    why: Why


@dataclass(frozen=True)
class Plan:
    """`repairs`: positions to tell again, rising; `people`: what nobody may repair by machine."""

    repairs: tuple[int, ...]
    people: tuple[ForPeople, ...]

    @property
    def differing(self) -> int:
        return len(self.repairs) + len(self.people)


def settle(missing: Sequence[Missing], extra: Iterable[Extra]) -> Plan:
    """Tell again every no that is not in force, and every yes that is narrower than what the store goes by.

    A yes that the store does not go by, and an answer that nobody told it, are for people: telling it again could make
    it share more.
    """
    repairs = {one.position for one in missing if one.answer is Answer.NO}
    people = {one.event: ForPeople(one.event, one.person, Why.KEEPS_OUT) for one in missing if one.answer is Answer.YES}
    explained = {one.person: one for one in missing}
    for one in extra:
        if one.person is None:
            people[one.event] = ForPeople(one.event, None, Why.NEVER_TOLD)
        elif one.on_its_way:
            continue
        elif one.newest_answer is Answer.NO or one.narrower:
            repairs.add(one.newest)
            if one.person in explained:
                people.pop(explained[one.person].event, None)
        elif one.person not in explained:
            people[one.event] = ForPeople(one.event, one.person, Why.OLDER_ANSWER)
    return Plan(tuple(sorted(repairs)), tuple(people[event] for event in sorted(people)))
