"""Tasks whose closing does something: a representative's paper is accepted or not, a death is confirmed or a mistake.

What is done and the closing are one transaction (HIP-15, HIP-16).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from consent.audit_tables import StaffTask
from consent.authority.deaths import DISPUTED, Outcome, found_alive, report_index, report_of, settle_report
from consent.authority.deaths import TASK as DEATH
from consent.authority.rules import Step
from consent.authority.stated import REVIEW, end_standing, named, settle, statements_of
from consent.person_identity import linked_persons
from database.context import Context, as_staff, widen
from database.keyring import KeyRing
from notifications.silence import speak_again
from patient_portal.family.words import SHORT
from patient_portal.staff.cases import OUTCOMES
from patient_portal.wiring import Wiring
from vocabulary.actor import Actor
from vocabulary.errors import Invalid
from vocabulary.phrase import Phrase, phrase

SETTLES: Mapping[str, Mapping[str, Phrase]] = {
    REVIEW: {
        "paper-accepted": phrase("The paper was seen, and it holds"),
        "paper-refused": phrase("The paper does not hold"),
        "person-at-risk": phrase("The person could come to harm. Whoever says this acts for them no more"),
    },
    DEATH: {
        "death-confirmed": phrase("The death is confirmed"),
        "death-mistaken": phrase("It was a mistake: the person is alive"),
    },
    DISPUTED: {
        "person-alive": phrase("The person is alive"),
        "death-stands": phrase("The death stands; somebody else used the sign-in"),
    },
}
"""How a task of this kind ends: in these ways only, and as a part of another case."""
ELSEWHERE = "in-another-case"
SETTLED: Mapping[str, Phrase] = {outcome: words for ways in SETTLES.values() for outcome, words in ways.items()}
TOLD: Mapping[str, Phrase] = {
    "name": phrase("Name of the person who died"),
    "born": phrase("Born"),
    "clinic": phrase("Clinic"),
    "died": phrase("Died on"),
    "who": phrase("Who told us"),
    "reach": phrase("How to reach them"),
}


@dataclass(frozen=True)
class Ending:
    """What the closing of a task says: its outcome, and for a death its day as typed."""

    outcome: str
    died_on: str = ""


def endings(kind: str) -> Mapping[str, Phrase]:
    """How a task of this kind may end. One that does something is never closed without it, or a person would stay
    silenced and a paper unseen."""
    own = SETTLES.get(kind)
    return OUTCOMES if own is None else {**own, ELSEWHERE: OUTCOMES[ELSEWHERE]}


def settle_task(
    session: Session, ring: KeyRing, actor: Actor, row: StaffTask, ending: Ending, context: Context, now: datetime
) -> None:
    """Do what the outcome says; nothing for the outcomes of other tasks.

    `context` is that of the staff transaction, with the person's rows in reach; it stands again afterwards. Raises
    Invalid for a confirmed death without its day, Conflict for one that is settled already.
    """
    if ending.outcome not in SETTLES.get(row.kind, {}):
        return
    if row.kind == DISPUTED:
        if ending.outcome == "person-alive" and row.person_id is not None:
            found_alive(session, row.person_id, by=actor.kind.value, account=actor.account_id, now=now)
            speak_again(session, row.person_id)
        return
    if row.kind == REVIEW:
        assert row.person_id is not None
        stated = UUID(row.detail["authority"])
        step = Step.CONFIRMED if ending.outcome == "paper-accepted" else Step.REFUSED
        settle(session, stated, row.person_id, step, by=actor, reason=None, now=now)
        if ending.outcome == "person-at-risk":
            end_standing(session, ring, stated, row.person_id, by=actor, now=now, when_any=True)
        return
    report = UUID(row.detail["report"])
    _reach(session, ring, report, context)
    outcome = Outcome.CONFIRMED if ending.outcome == "death-confirmed" else Outcome.MISTAKEN
    if report_of(session, ring, report).outcome is outcome:  # the person said so first
        widen(session, context)
        return
    person = settle_report(
        session, report, outcome, by=actor.kind.value, died_on=_day(ending.died_on), now=now, account=actor.account_id
    )
    if outcome is Outcome.MISTAKEN and person is not None:
        speak_again(session, person)
    widen(session, context)


def end_theirs(session: Session, wiring: Wiring, actor: Actor, person: UUID, authority: UUID, now: datetime) -> None:
    """Who made this statement about the person, or about a record they joined to theirs, acts for them no more.

    NotFound for a statement about anybody else, Conflict when nothing of theirs stands.
    """
    assert actor.account_id is not None
    persons = linked_persons(wiring.database, person)
    widen(session, as_staff(actor.practices, actor.account_id, *persons))
    whom = named(statements_of(session, wiring.keyring, persons), authority).authority.person
    end_standing(session, wiring.keyring, authority, whom, by=actor, now=now)


def about_task(
    session: Session, ring: KeyRing, row: StaffTask, context: Context
) -> list[tuple[Phrase, str | Phrase | date]]:
    """What a member of staff must read to settle it, as terms and values; empty for other kinds."""
    if row.kind == REVIEW and row.person_id is not None and "authority" in row.detail:
        stated = named(statements_of(session, ring, (row.person_id,)), UUID(row.detail["authority"]))
        ends = stated.authority.ends_on or stated.authority.of_age_on
        return [
            (phrase("Who says so"), stated.name),
            (phrase("What they are to the person"), SHORT[stated.authority.relation]),
            (phrase("Which paper shows it"), stated.authority.document),
            (phrase("How to reach them"), stated.reach),
            (phrase("Until when"), ends or ""),
        ]
    if row.kind != DEATH or "report" not in row.detail:
        return []
    report = UUID(row.detail["report"])
    _reach(session, ring, report, context)
    told = report_of(session, ring, report).told
    widen(session, context)
    return [(words, told[name]) for name, words in TOLD.items() if told.get(name)]


def _reach(session: Session, ring: KeyRing, report: UUID, context: Context) -> None:
    """A report about nobody known belongs to no person: its task carries the id by which it is reached."""
    widen(session, replace(context, lookups=(*context.lookups, report_index(ring, report))))


def _day(typed: str) -> date | None:
    try:
        return date.fromisoformat(typed.strip()) if typed.strip() else None
    except ValueError:
        raise Invalid("died-on", {"died": "missing"}) from None
