"""Statements of authority: made by a representative, looked at by staff, ended; read for each act (HIP-15)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from uuid import UUID, uuid4

import orjson
from sqlalchemy import insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from consent.audit import Audited, write_audit
from consent.audit_tables import LOOKED_AT_WITHIN, StaffTask
from consent.authority.rules import OF_MINORS, Authority, May, Relation, Step, acting, was_turned_away
from consent.authority.tables import AuthorityRow, AuthorityStep
from consent.authority.typed import one_line
from consent.tables import Person
from database.keyring import KeyRing
from vocabulary.actor import Actor, ActorKind
from vocabulary.errors import Conflict, Invalid, NotFound

REVIEW = "authority-review"
LONGEST_NAME, LONGEST_DOCUMENT, LONGEST_REACH, MOST_STATEMENTS = 200, 300, 200, 20
LONGEST_HELD = timedelta(days=36_525)  # a hundred years: a later day is a slip of the pen
OVER = frozenset({Step.REFUSED.value, Step.ENDED.value})
# As a decision does: what ends during a decision counts before it or after it, and never in between.
_LOCK = text("SELECT id FROM person WHERE id = :person FOR UPDATE")


@dataclass(frozen=True)
class Statement:
    """What a representative states: who they are, on what paper their standing rests, and how long it holds.

    `reach`: a phone number or an address of theirs, by which staff ask to see the paper.
    """

    relation: Relation
    name: str
    document: str
    begins_on: date
    ends_on: date | None
    of_age_on: date | None
    form: str
    reach: str = field(repr=False)


@dataclass(frozen=True)
class Stated:
    """A statement as its person's pages and staff see it; `reach` is for staff alone, empty in those made before it was
    asked for."""

    authority: Authority
    name: str
    stated_at: datetime
    last_step_at: datetime
    reach: str = field(default="", repr=False)


def check_words(name: str, document: str, reach: str) -> dict[str, str]:
    """What is wrong with the words of a statement, by field."""
    least_and_most = {
        "name": (name, 2, LONGEST_NAME),
        "document": (document, 2, LONGEST_DOCUMENT),
        "reach": (reach, 5, LONGEST_REACH),
    }
    return {
        field: "missing"
        for field, (words, least, most) in least_and_most.items()
        if not least <= len(one_line(words)) <= most
    }


def check_statement(statement: Statement, today: date) -> None:
    """Invalid names each field that does not hold. An authority for an adult names its last day (HIP-15)."""
    wrong = check_words(statement.name, statement.document, statement.reach)
    if statement.relation not in OF_MINORS and statement.ends_on is None:
        wrong["ends_on"] = "missing"
    if statement.ends_on is not None and statement.ends_on < max(today, statement.begins_on):
        wrong["ends_on"] = "in-the-past"
    if statement.ends_on is not None and statement.ends_on - today > LONGEST_HELD:
        wrong["ends_on"] = "unreadable"
    if statement.relation in OF_MINORS and statement.of_age_on is not None and statement.of_age_on <= today:
        wrong["relation"] = "of-age"
    if wrong:
        raise Invalid("statement", wrong)


def state_authority(
    session: Session, ring: KeyRing, actor: Actor, statement: Statement, now: datetime, *, today: date | None = None
) -> UUID:
    """Keep a statement and open its task for staff; the same form twice is one statement.

    `today`: the day of the calendar where the service is, else UTC's. The session is in the person's context. Raises
    Invalid as `check_statement`, Conflict when there are too many.
    """
    assert actor.kind is ActorKind.PROXY
    assert actor.person is not None
    assert actor.account_id is not None
    check_statement(statement, today or now.date())
    if len(statements_of(session, ring, (actor.person,), actor.account_id)) >= MOST_STATEMENTS:
        raise Conflict("too-many-statements")
    made = uuid4()
    known = {
        "name": one_line(statement.name), "document": one_line(statement.document), "reach": one_line(statement.reach),
    }  # fmt: skip
    row = {
        "id": made, "person_id": actor.person, "account_id": actor.account_id, "provider_id": actor.provider_id,
        "relation": statement.relation.value, "stated_sealed": ring.seal(orjson.dumps(known), _place(made)),
        "begins_on": statement.begins_on, "ends_on": statement.ends_on, "of_age_on": statement.of_age_on,
        "form": statement.form, "stated_at": now,
    }  # fmt: skip
    kept = session.scalar(
        upsert(AuthorityRow)
        .values(row)
        .on_conflict_do_nothing(index_elements=["person_id", "form"])
        .returning(AuthorityRow.id)
    )
    if kept is None:
        same = select(AuthorityRow.id).where(
            AuthorityRow.person_id == actor.person, AuthorityRow.form == statement.form
        )
        return session.scalars(same).one()
    _step(session, made, actor.person, Step.STATED, actor.kind, actor.account_id, None, now)
    task = {
        "id": uuid4(), "person_id": actor.person, "practice_id": None, "store_id": None, "kind": REVIEW,
        "detail": {"authority": str(made)}, "opened_at": now, "due_at": now + LOOKED_AT_WITHIN, "closed_at": None,
    }  # fmt: skip
    session.execute(insert(StaffTask).values(task))
    _audit(session, actor.person, "authority.stated", actor.kind.value, actor.account_id, now, statement.relation)
    return made


def settle(
    session: Session, authority: UUID, person: UUID, step: Step, *, by: Actor, reason: str | None, now: datetime
) -> None:
    """Confirm, refuse or end a statement; NotFound for one that is not this person's.

    What is over stays over: to confirm it is a Conflict, to end it does nothing. It can still be refused, so that
    nobody escapes a refusal by laying it down first.
    Staff confirm and refuse, for a paper that does not hold and for one who may harm the person ((g)(5)); the person
    and the representative end it. What was done with it before stands in the history.
    """
    row = session.get(AuthorityRow, authority)
    if row is None or row.person_id != person:
        raise NotFound("authority")
    session.execute(_LOCK, {"person": person})
    before = set(session.scalars(select(AuthorityStep.step).where(AuthorityStep.authority_id == authority)))
    if step is Step.ENDED and before & OVER:
        return
    if step.value in before or (step is Step.CONFIRMED and before & OVER):
        raise Conflict("settled")
    _step(session, authority, person, step, by.kind, by.account_id, reason, now)
    _audit(session, person, f"authority.{step.value}", by.kind.value, by.account_id, now, Relation(row.relation))


def end_standing(
    session: Session, ring: KeyRing, authority: UUID, person: UUID, *, by: Actor, now: datetime, when_any: bool = False
) -> None:
    """Staff end all on which whoever made this statement stands for the person ((g)(5)): an older paper that was
    accepted does not go on without it, and another statement opens nothing before staff have seen its paper.

    NotFound for one that is not this person's; Conflict when nothing of theirs stands, but with `when_any`.
    """
    session.execute(_LOCK, {"person": person})
    account = named(statements_of(session, ring, (person,)), authority).authority.account
    stands = standing_now(statements_of(session, ring, (person,), account))
    if not stands and not when_any:
        raise Conflict("settled")
    for one in stands:
        settle(session, one.authority.id, person, Step.ENDED, by=by, reason=None, now=now)


def statements_of(
    session: Session, ring: KeyRing, persons: Sequence[UUID], account: UUID | None = None
) -> tuple[Stated, ...]:
    """Every statement about these people, by one account or by all, oldest first."""
    wanted = select(AuthorityRow, AuthorityStep).join(AuthorityStep).where(AuthorityRow.person_id.in_(persons))
    if account is not None:
        wanted = wanted.where(AuthorityRow.account_id == account)
    rows = session.execute(wanted.order_by(AuthorityRow.stated_at, AuthorityRow.id, AuthorityStep.id)).all()
    return tuple(
        _stated(ring, row, [step for _, step in each])
        for row, each in ((key, list(group)) for key, group in groupby(rows, key=lambda found: found[0]))
    )


def standing_now(stated: Iterable[Stated]) -> tuple[Stated, ...]:
    """Those that nobody refused or ended."""
    return tuple(one for one in stated if not OVER & set(one.authority.steps))


def after_another(stated: Sequence[Stated], account: UUID) -> frozenset[UUID]:
    """The statements of an account that were made after another account was turned away. Pure."""
    others = (one for one in stated if one.authority.account != account and was_turned_away(one.authority))
    since = min((one.last_step_at for one in others), default=None)
    mine = (one for one in stated if one.authority.account == account)
    return frozenset(one.authority.id for one in mine if since is not None and one.stated_at >= since)


def may_now(
    session: Session, ring: KeyRing, person: UUID, account: UUID, today: date, *, everyone: Sequence[UUID] = ()
) -> tuple[Authority | None, May]:
    """What an account may do for this person today, and on which statement.

    `everyone`: the person and those whose records were joined with theirs, where the session reaches them: whoever was
    turned away from one of them is turned away from all.
    """
    died = session.scalar(select(Person.died_on).where(Person.id == person)) is not None
    stated = statements_of(session, ring, everyone or (person,))
    mine = [one for one in stated if one.authority.account == account and one.authority.person == person]
    return acting([one.authority for one in mine], today, died=died, after_another=after_another(stated, account))


def _stated(ring: KeyRing, row: AuthorityRow, steps: Sequence[AuthorityStep]) -> Stated:
    known = orjson.loads(ring.open(row.stated_sealed, _place(row.id)))
    authority = Authority(
        row.id, row.person_id, row.account_id, Relation(row.relation), known["document"], row.begins_on, row.ends_on,
        row.of_age_on, tuple(Step(one.step) for one in steps),
        all(one.by_account == row.account_id for one in steps if one.step == Step.ENDED.value),
    )  # fmt: skip
    return Stated(authority, known["name"], row.stated_at, steps[-1].at, known.get("reach", ""))


def _step(
    session: Session, authority: UUID, person: UUID, step: Step, kind: ActorKind, account: UUID | None,
    reason: str | None, now: datetime,
) -> None:  # fmt: skip
    row: Mapping[str, object] = {
        "authority_id": authority, "person_id": person, "step": step.value, "by_kind": kind.value,
        "by_account": account, "reason": reason, "at": now,
    }  # fmt: skip
    session.execute(insert(AuthorityStep).values(row))


def _audit(
    session: Session, person: UUID, event: str, kind: str, account: UUID | None, now: datetime, relation: Relation
) -> None:
    detail = {"relation": relation.value}
    write_audit(session, now, Audited(person, event, "C", kind, actor_account=account, detail=detail))


def _place(authority: UUID) -> str:
    return f"authority:stated:{authority}"


def named(stated: Iterable[Stated], authority: UUID) -> Stated:
    """One of them; NotFound when it is not there."""
    found = next((one for one in stated if one.authority.id == authority), None)
    if found is None:
        raise NotFound("authority")
    return found
