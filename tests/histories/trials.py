"""What is tried with one history, and a second opinion about it that shares nothing with the rules under test."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from uuid import UUID

from consent.decision import CANCERLINQ, Answer, Decision, Subject, donation_to
from consent.efforts import EARLY_SIGNS, LIVING_WELL
from consent.standing import Standing, standing
from tests.pure.consent.decisions import NOW, ROSA, ROSA_AT_LAKESIDE, T0, decided

EFFORTS = (LIVING_WELL, EARLY_SIGNS)
SUBJECTS = (CANCERLINQ, *(donation_to(effort.id) for effort in EFFORTS))
PEOPLE = (ROSA, ROSA, ROSA_AT_LAKESIDE)
CHANGES_ITS_MIND = (
    decided(1, donation_to("early-signs"), Answer.YES),
    decided(2),
    decided(3, CANCERLINQ, Answer.YES),
    decided(4, donation_to("early-signs"), Answer.YES),
    decided(5, donation_to("living-well"), Answer.YES),
    decided(6, donation_to("living-well"), Answer.NO),
    decided(7),
)
"""Seven decisions of one person, each of which once was the newest about something."""


@dataclass
class Told:
    """What was looked at and what was wrong, each by its name."""

    looked_at: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)

    def note(self, what: str, good: bool) -> None:
        self.looked_at[what] += 1
        if not good:
            self.wrong[what] += 1


def arrivals(length: int) -> Iterator[tuple[int, ...]]:
    """Every way in which `length` messages can arrive that tell of the first k of seven decisions, each at least once:
    all orders, and all repeats that fit."""
    for count in range(1, length + 1):
        for order in itertools.product(range(count), repeat=length):
            if len(set(order)) == count:
                yield order


def in_every_order(length: int, told: Told) -> None:
    """The same seven decisions, or the first of them, as `arrivals` brings them."""
    expected = [standing(CHANGES_ITS_MIND[:count], NOW) for count in range(8)]
    for order in arrivals(length):
        stands = standing([CHANGES_ITS_MIND[place] for place in order], NOW)
        told.note("orders with repeats", stands == expected[max(order) + 1])


def random_history(chance: Random, fewest: int = 8, most: int = 40) -> list[Decision]:
    """Decisions of two linked persons, with dense versions each; some yeses begin later or run out."""
    versions: Counter[UUID] = Counter()
    made = []
    for _ in range(chance.randint(fewest, most)):
        person = chance.choice(PEOPLE)
        versions[person] += 1
        answer = chance.choice((Answer.YES, Answer.NO))
        days = [T0 + timedelta(days=chance.randint(0, 20)) if chance.random() < 0.2 else None for _ in range(2)]
        subject = chance.choice(SUBJECTS)
        made.append(decided(versions[person], subject, answer, person, starts_at=days[0], expires_at=days[1]))
    return made


def try_one(history: Sequence[Decision], chance: Random, told: Told) -> None:
    """One history: out of order and repeated, cut off on its way, and with one no more somewhere in it."""
    stands = standing(history, NOW)
    arrived = [*history, *chance.choices(history, k=len(history) // 2)]
    chance.shuffle(arrived)
    told.note("arrived out of order, repeated", standing(arrived, NOW) == stands)
    for heard in (arrived, arrived[: chance.randint(1, len(arrived))]):
        what_stands = standing(heard, NOW)
        for subject in SUBJECTS:
            refused = newest_is_no(heard, subject)
            told.note("a no of the newest version is in force", not (refused and flows(what_stands, subject)))
    person, subject = chance.choice(PEOPLE), chance.choice(SUBJECTS)
    more = with_a_no(history, person, subject, chance.randint(1, len(history) + 1))
    wider = [each for each in SUBJECTS if parts(standing(more, NOW), each) - parts(stands, each)]
    told.note("one more no widens nothing", not wider)


def newest_is_no(heard: Sequence[Decision], subject: Subject) -> bool:
    """By hand, without the rules: whether the newest version that somebody of these said about it is a no."""
    newest: dict[UUID, tuple[int, bool]] = {}
    for decision in heard:
        if decision.subject == subject:
            said = (decision.version, decision.answer is Answer.NO)
            newest[decision.person_id] = max(said, newest.get(decision.person_id, (0, False)))
    return any(is_no for _, is_no in newest.values())


def flows(stands: Standing, subject: Subject) -> bool:
    return bool(parts(stands, subject))


def parts(stands: Standing, subject: Subject) -> frozenset[str]:
    """What is let through about a subject."""
    if subject == CANCERLINQ:
        return frozenset({"all"} if stands.in_cancerlinq(True) else ())
    effort = next(each for each in EFFORTS if each.id == subject.effort)
    return frozenset(category.value for category in stands.donation(effort).categories)


def with_a_no(history: Sequence[Decision], person: UUID, subject: Subject, version: int) -> list[Decision]:
    """The history with a no put in at a version of one person, whose later ones count one higher."""
    place = min(version, sum(decision.person_id == person for decision in history) + 1)
    moved = [
        replace(each, version=each.version + 1) if each.person_id == person and each.version >= place else each
        for each in history
    ]
    return [*moved, decided(place, subject, Answer.NO, person, id=UUID(int=7))]


def run(count: int, seed: int, length: int) -> Told:
    """`count` random histories, and every arrival of up to `length` messages."""
    chance, told = Random(seed), Told()
    for each in range(1, length + 1):
        in_every_order(each, told)
    for _ in range(count):
        try_one(random_history(chance), chance, told)
        told.looked_at["histories"] += 1
    return told
