"""What a representative may do on a day: the pure rule behind every act for somebody else (HIP-15).

45 CFR 164.502(g): who has authority under other law to act for a person is treated as that person, within that
authority. A hospital that lets somebody open the record has looked at their standing already, so reading and saying no
follow from their own statement. A yes needs more: a document that staff have looked at, and it never outlasts the
authority it was signed with.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID


class Relation(StrEnum):
    """On what a representative's standing rests: (g)(3) parent or guardian of a minor, (g)(2) an adult's legal
    representative, (g)(4) executor or next of kin of one who died."""

    PARENT = "parent"
    GUARDIAN = "guardian"
    LEGAL_REPRESENTATIVE = "legal-representative"
    ESTATE = "estate"


OF_MINORS = frozenset({Relation.PARENT, Relation.GUARDIAN})
"""Who decides for an adult by a court's order or a power of attorney is a legal representative."""


class Step(StrEnum):
    """What happened to a statement of authority; none is changed, and after a refusal or an end no other counts."""

    STATED = "stated"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    ENDED = "ended"


class Why(StrEnum):
    """Why something may not be done; each has words on a page."""

    NOT_STATED = "not-stated"
    NOT_CONFIRMED = "not-confirmed"
    REFUSED = "refused"
    ENDED = "ended"
    EXPIRED = "expired"
    OF_AGE = "of-age"
    NOT_YET = "not-yet"
    AGE_UNKNOWN = "age-unknown"
    PAPER_FIRST = "paper-first"
    DEATH_NOT_CONFIRMED = "death-not-confirmed"
    PERSON_HAS_DIED = "person-has-died"


@dataclass(frozen=True)
class Authority:
    """One statement of authority. `document` names the paper it rests on, such as "court order of 3 May 2026".

    `begins_on`, `ends_on`: the days the paper itself names, both included; `ends_on` None when it names none.
    `of_age_on`: the day the person comes of age by their state's rule; None when their birth date is not known.
    `laid_down`: whoever stated it ended it themselves, and nobody else did.
    """

    id: UUID
    person: UUID
    account: UUID
    relation: Relation
    document: str
    begins_on: date
    ends_on: date | None
    of_age_on: date | None
    steps: tuple[Step, ...]
    laid_down: bool = False


@dataclass(frozen=True)
class May:
    """What may be done, and why a thing may not. `until` is the last day on which a yes signed now may stand.

    `own_care`: the person is not of age, and what tells of care that a minor may have alone is not read with it.
    """

    read: bool = False
    refuse: bool = False
    sign: bool = False
    why: Why | None = None
    until: date | None = None
    own_care: bool = False


def may(authority: Authority | None, today: date, *, died: bool) -> May:
    """What `authority` allows on `today`; `died`: the person's death was confirmed (HIP-16).

    Nothing without a statement, after its end, after a refusal, or once the person is of age. After a death only an
    estate acts, and every other authority ends with the person.
    """
    if authority is None:
        return May(why=Why.NOT_STATED)
    ended = _over(authority, today, died=died)
    if ended is not None:
        return May(why=ended)
    waits = _not_yet_signing(authority, died=died)
    own_care = keeps_own_care(authority, today, died=died)
    return May(True, True, waits is None, waits, _last_day(authority), own_care)


def acting(
    authorities: Sequence[Authority], today: date, *, died: bool, after_another: Collection[UUID] = ()
) -> tuple[Authority | None, May]:
    """Of several statements of one account the one that allows most; the newest among equals.

    Whom staff or the person have turned away, or whose child is of age, opens nothing by their own word any more: a
    further statement of theirs waits until staff have seen its paper ((g)(5)). So does a statement made `after_another`
    account was turned away: it may be the same hand, signed in at another hospital.
    """
    best: tuple[Authority | None, May] = (None, may(None, today, died=died))
    own = any(was_turned_away(one) or _came_of_age(one, today) for one in authorities)
    for one in authorities:
        found = may(one, today, died=died)
        wary = own or one.id in after_another
        if wary and found.read and Step.CONFIRMED not in one.steps:
            found = May(why=Why.PAPER_FIRST)
        if _weight(found) >= _weight(best[1]):
            best = (one, found)
    return best


def was_turned_away(authority: Authority) -> bool:
    """Whether staff refused it, or somebody else than who stated it ended it."""
    return Step.REFUSED in authority.steps or (Step.ENDED in authority.steps and not authority.laid_down)


def keeps_own_care(authority: Authority, today: date, *, died: bool) -> bool:
    """Whether the person may keep care of their own to themselves before this representative ((g)(3)).

    So may the child of a parent or guardian, and whoever is not of age whatever the representative calls themselves;
    where no age is known, until staff have seen a paper for an adult. After a death an estate stands for the person
    in everything ((g)(4)).
    """
    if died and authority.relation is Relation.ESTATE:
        return False
    if authority.of_age_on is None:
        return authority.relation in OF_MINORS or Step.CONFIRMED not in authority.steps
    return authority.relation in OF_MINORS or today < authority.of_age_on


def born_of_age_on(born: date, years: int) -> date:
    """The birthday on which somebody is `years` old; who was born on 29 February has it on 1 March."""
    try:
        return born.replace(year=born.year + years)
    except ValueError:
        return date(born.year + years, 3, 1)


def _over(authority: Authority, today: date, *, died: bool) -> Why | None:
    checks = (
        (Step.REFUSED in authority.steps, Why.REFUSED),
        (Step.ENDED in authority.steps, Why.ENDED),
        (today < authority.begins_on, Why.NOT_YET),
        (authority.ends_on is not None and today > authority.ends_on, Why.EXPIRED),
        (_came_of_age(authority, today), Why.OF_AGE),
        (died and authority.relation is not Relation.ESTATE, Why.PERSON_HAS_DIED),
    )
    return next((why for holds, why in checks if holds), None)


def _came_of_age(authority: Authority, today: date) -> bool:
    of_minor = authority.relation in OF_MINORS
    return of_minor and authority.of_age_on is not None and today >= authority.of_age_on


def _not_yet_signing(authority: Authority, *, died: bool) -> Why | None:
    if authority.steps[-1] is not Step.CONFIRMED:
        return Why.NOT_CONFIRMED
    if authority.relation in OF_MINORS and authority.of_age_on is None:
        return Why.AGE_UNKNOWN
    if authority.relation is Relation.ESTATE and not died:
        return Why.DEATH_NOT_CONFIRMED
    return None


def _last_day(authority: Authority) -> date | None:
    """A parent's yes ends before the child is of age, who is then asked anew."""
    of_age = authority.of_age_on if authority.relation in OF_MINORS else None
    last = of_age - timedelta(days=1) if of_age is not None else None
    return min((day for day in (authority.ends_on, last) if day is not None), default=None)


def _weight(found: May) -> int:
    return found.read + found.refuse + found.sign
