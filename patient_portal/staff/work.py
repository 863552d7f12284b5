"""What staff do with one task: take it, note, pass it on, give it back, close it. Each is one transaction, audited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from consent.audit import Audited, write_audit
from consent.audit_tables import StaffTask
from consent.authority.deaths import TASK as DEATH
from consent.authority.deaths import report_index, report_is_about
from database.context import as_staff, widen
from database.keyring import KeyRing
from notifications.silence import fall_silent
from patient_portal.staff.cases import WORDS_MAX
from patient_portal.staff.openings import person_by_number
from patient_portal.staff.settling import Ending, end_theirs, endings, settle_task
from patient_portal.staff.tables import StaffMember, StaffTaskEvent
from patient_portal.wiring import Wiring
from vocabulary.actor import Actor, ActorKind
from vocabulary.errors import Conflict, Invalid, NotFound, Refused


@dataclass(frozen=True)
class Happened:
    """One line of a task's history; `words` is a note, opened."""

    kind: str
    by: UUID
    to: UUID | None
    outcome: str | None
    words: str
    at: datetime


@dataclass(frozen=True)
class Deed:
    """What is done to a task: its kind, to whom it is passed on, how it ended, and what was written."""

    kind: str
    to: UUID | None = None
    outcome: str | None = None
    words: str = ""


def take(wiring: Wiring, actor: Actor, name: str, case_no: int, now: datetime, *, over: bool = False) -> None:
    """Assign it to the actor; Conflict when it is another's, or closed. `over`: a lead takes it from a colleague who is
    not there; Refused for anybody else."""
    me = _account(actor)
    if over and actor.kind is not ActorKind.LEAD:
        raise Refused("not-a-lead")
    with wiring.database.begin(as_staff(actor.practices, me)) as session:
        row = _locked(session, case_no)
        if row.closed_at is not None or (row.assigned_to not in (None, me) and row.escalated_to != me and not over):
            raise Conflict("not-free")
        _change(session, wiring.keyring, actor, name, row, Deed("taken"), now, assigned_to=me, assigned_at=now)


def give_back_all(session: Session, account: UUID, now: datetime) -> int:
    """Whoever leaves leaves no case behind: each of theirs is nobody's again; how many. In a staff context."""
    mine = (StaffTask.assigned_to == account, StaffTask.closed_at.is_(None))
    freed = update(StaffTask).where(*mine).values(assigned_to=None, assigned_at=None).returning(StaffTask.id)
    tasks = session.scalars(freed).all()
    session.add_all(StaffTaskEvent(task_id=task, kind="given-back", by_account=account, at=now) for task in tasks)
    return len(tasks)


def note(wiring: Wiring, actor: Actor, name: str, case_no: int, words: str, now: datetime) -> None:
    """Add a note, sealed."""
    _by_its_owner(wiring, actor, name, case_no, Deed("note", words=written(words, "words")), now)


def give_back(wiring: Wiring, actor: Actor, name: str, case_no: int, now: datetime) -> None:
    _by_its_owner(wiring, actor, name, case_no, Deed("given-back"), now, assigned_to=None, assigned_at=None)


def pass_on(wiring: Wiring, actor: Actor, name: str, case_no: int, to: UUID, words: str, now: datetime) -> None:
    """Pass it on to a colleague by name, who finds it under their own; Invalid for somebody who does not work here."""
    deed = Deed("escalated", to=to, words=written(words, "pass-on-words"))
    _by_its_owner(wiring, actor, name, case_no, deed, now, assigned_to=None, assigned_at=None, escalated_to=to)


def close(wiring: Wiring, actor: Actor, name: str, case_no: int, ending: Ending, words: str, now: datetime) -> None:
    """Close it with an outcome of all tasks, or with one of its kind, which is done in the same transaction."""
    me, outcome = _account(actor), ending.outcome
    deed = Deed("closed", outcome=outcome, words=written(words, "close-words", optional=True))
    with wiring.database.begin(as_staff(actor.practices, me)) as session:
        row = _owned(session, actor, case_no)
        if outcome not in endings(row.kind):
            raise Invalid("outcome", {"outcome": "missing"})
        closed = {"closed_at": now, "closed_by": me, "outcome": outcome}
        _change(session, wiring.keyring, actor, name, row, deed, now, **closed)
        context = as_staff(actor.practices, me, *([row.person_id] if row.person_id else []))
        settle_task(session, wiring.keyring, actor, row, ending, context, now)


def end_authority(
    wiring: Wiring, actor: Actor, name: str, case_no: int, authority: UUID, words: str, now: datetime
) -> None:
    """On a case of one's own: whoever made this statement no longer acts for the person, on no paper of theirs.

    NotFound for a statement about somebody else, Conflict when nothing of theirs stands.
    """
    me, deed = _account(actor), Deed("ended-authority", words=written(words, "end-words"))
    with wiring.database.begin(as_staff(actor.practices, me)) as session:
        row = _owned(session, actor, case_no)
        if row.person_id is None:
            raise NotFound("authority")
        _change(session, wiring.keyring, actor, name, row, deed, now)
        end_theirs(session, wiring, actor, row.person_id, authority, now)


def is_about(wiring: Wiring, actor: Actor, name: str, case_no: int, provider: str, number: str, now: datetime) -> None:
    """On a case of one's own about a death of nobody known: staff found whom it is about, whose messages pause now.

    Refused for any other case, Conflict when somebody is named already, Invalid when nobody has this record number.
    """
    me = _account(actor)
    with wiring.database.begin(as_staff(actor.practices, me)) as session:
        report = _about_nobody(_owned(session, actor, case_no))
    person, _practice = person_by_number(wiring, actor, name, provider, number, now)
    context = replace(as_staff(actor.practices, me, person), lookups=(report_index(wiring.keyring, report),))
    with wiring.database.begin(context) as session:
        row = _owned(session, actor, case_no)
        report_is_about(session, _about_nobody(row), person, by=actor.kind.value, account=me, now=now)
        fall_silent(session, person, now)
        _change(session, wiring.keyring, actor, name, row, Deed("found-person"), now, person_id=person)


def _about_nobody(row: StaffTask) -> UUID:
    if row.kind != DEATH:
        raise Refused("not-a-death")
    if row.person_id is not None:
        raise Conflict("settled")
    return UUID(row.detail["report"])


def read_history(session: Session, ring: KeyRing, task: UUID, *, with_notes: bool) -> list[Happened]:
    """What was done with a task, oldest first; notes may name the person, so they are opened only where names are."""
    rows: Sequence[StaffTaskEvent] = session.scalars(
        select(StaffTaskEvent).where(StaffTaskEvent.task_id == task).order_by(StaffTaskEvent.id)
    ).all()
    return [
        Happened(
            row.kind, row.by_account, row.to_account, row.outcome,
            ring.open(row.words_sealed, _place(task)).decode() if with_notes and row.words_sealed else "", row.at,
        )
        for row in rows
    ]  # fmt: skip


def add_event(session: Session, ring: KeyRing, task: UUID, by: UUID, deed: Deed, now: datetime) -> None:
    """Add a line to a task's history, in the caller's transaction."""
    sealed = ring.seal(deed.words.encode(), _place(task)) if deed.words else None
    session.add(
        StaffTaskEvent(
            task_id=task, kind=deed.kind, by_account=by, to_account=deed.to, outcome=deed.outcome, words_sealed=sealed,
            at=now,
        )
    )  # fmt: skip


def _by_its_owner(
    wiring: Wiring, actor: Actor, name: str, case_no: int, deed: Deed, now: datetime, **values: Any
) -> None:
    with wiring.database.begin(as_staff(actor.practices, _account(actor))) as session:
        row = _owned(session, actor, case_no)
        if deed.to is not None:
            colleague = session.get(StaffMember, deed.to)
            if colleague is None or colleague.ended_at is not None or deed.to == actor.account_id:
                raise Invalid("colleague", {"to": "missing"})
        _change(session, wiring.keyring, actor, name, row, deed, now, **values)


def _owned(session: Session, actor: Actor, case_no: int) -> StaffTask:
    row = _locked(session, case_no)
    if row.assigned_to != actor.account_id or row.closed_at is not None:
        raise Refused("not-yours")
    return row


def _locked(session: Session, case_no: int) -> StaffTask:
    row = session.scalar(select(StaffTask).where(StaffTask.case_no == case_no).with_for_update())
    if row is None:
        raise NotFound("case")
    return row


def _change(
    session: Session, ring: KeyRing, actor: Actor, name: str, row: StaffTask, deed: Deed, now: datetime, **values: Any
) -> None:
    me = _account(actor)
    if values:
        session.execute(update(StaffTask).where(StaffTask.id == row.id).values(**values))
    add_event(session, ring, row.id, me, deed, now)
    session.flush()
    person = values.get("person_id", row.person_id)
    if person is not None:
        widen(session, as_staff(actor.practices, me, person))
    detail = {"what": deed.kind, "case": row.case_no} | ({"outcome": deed.outcome} if deed.outcome else {})
    line = Audited(person, "staff-task.changed", "U", actor.kind.value, me, actor_reference=name, detail=detail)
    write_audit(session, now, line)


def written(words: str, field: str, *, optional: bool = False) -> str:
    """What was written, whole; Invalid names the field of the page when it is too long, or missing and needed."""
    if not words.strip() and not optional:
        raise Invalid("words", {field: "missing"})
    if len(words.strip()) > WORDS_MAX:
        raise Invalid("words", {field: "too-long"})
    return words.strip()


def _account(actor: Actor) -> UUID:
    assert actor.account_id is not None, "the gate lets only staff in"
    return actor.account_id


def _place(task: UUID) -> str:
    return f"staff_task_event:words:{task}"
