"""The queue of staff: what is open, by store and deadline, without anybody's name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, tuple_
from sqlalchemy.orm import Session

from consent.audit_tables import StaffTask
from patient_portal.staff.cases import Case
from vocabulary.errors import NotFound

A_PAGE = 25
WHOSE = ("mine", "free", "passed-to-me")
NO_STORE = "none"
_COLUMNS = (
    StaffTask.id, StaffTask.case_no, StaffTask.kind, StaffTask.store_id, StaffTask.practice_id, StaffTask.opened_at,
    StaffTask.due_at, StaffTask.assigned_to, StaffTask.escalated_to, StaffTask.closed_at, StaffTask.outcome,
)  # fmt: skip
_WHEN = func.coalesce(StaffTask.due_at, StaffTask.opened_at)


@dataclass(frozen=True)
class Wanted:
    """What the queue is narrowed to; empty means all. `store` `none`: tasks of no store."""

    kind: str = ""
    store: str = ""
    practice: str = ""
    whose: str = ""
    late: bool = False


@dataclass(frozen=True)
class After:
    """Where a page begins: after the task with this time and case number."""

    when: datetime
    case_no: int

    @classmethod
    def read(cls, text: str) -> After | None:
        """From an address; None when it is not one of ours."""
        when, _, number = text.partition("~")
        if not (number.isascii() and number.isdigit() and len(number) < 19):
            return None
        try:
            moment = datetime.fromisoformat(when)
        except ValueError:
            return None
        return cls(moment, int(number)) if moment.tzinfo is not None else None

    @classmethod
    def of(cls, case: Case) -> str:
        return f"{(case.due_at or case.opened_at).isoformat()}~{case.case_no}"


def read_queue(session: Session, wanted: Wanted, me: UUID, after: After | None, now: datetime) -> list[Case]:
    """A page of open tasks and one more, the first due first; in a staff context."""
    query = select(*_COLUMNS).where(*_conditions(wanted, me, now))
    if after is not None:
        query = query.where(tuple_(_WHEN, StaffTask.case_no) > tuple_(after.when, after.case_no))
    return [_case(row) for row in session.execute(query.order_by(_WHEN, StaffTask.case_no).limit(A_PAGE + 1))]


def matching(session: Session, wanted: Wanted, me: UUID, now: datetime, most: int) -> Sequence[UUID]:
    """The ids of open tasks that nobody else works on, the first due first."""
    query = select(StaffTask.id).where(*_conditions(wanted, me, now))
    free = or_(StaffTask.assigned_to.is_(None), StaffTask.assigned_to == me)
    return session.scalars(query.where(free).order_by(_WHEN, StaffTask.case_no).limit(most)).all()


def read_case(session: Session, case_no: int) -> Case:
    """One task, open or closed; NotFound when it is not there or is of a practice that is not theirs."""
    row = session.execute(select(*_COLUMNS).where(StaffTask.case_no == case_no)).one_or_none()
    if row is None:
        raise NotFound("case")
    return _case(row)


def counts(session: Session) -> list[tuple[str, int]]:
    """How many are open, by kind, the most first."""
    query = select(StaffTask.kind, func.count()).where(StaffTask.closed_at.is_(None)).group_by(StaffTask.kind)
    return [(kind, number) for kind, number in session.execute(query.order_by(func.count().desc(), StaffTask.kind))]


def _conditions(wanted: Wanted, me: UUID, now: datetime) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [StaffTask.closed_at.is_(None)]
    if wanted.kind:
        found.append(StaffTask.kind == wanted.kind)
    if wanted.store:
        found.append(StaffTask.store_id.is_(None) if wanted.store == NO_STORE else StaffTask.store_id == wanted.store)
    if wanted.practice:
        found.append(StaffTask.practice_id == wanted.practice)
    if wanted.late:
        found.append(StaffTask.due_at < now)
    if wanted.whose == "mine":
        found.append(StaffTask.assigned_to == me)
    elif wanted.whose == "free":
        found.append(StaffTask.assigned_to.is_(None))
    elif wanted.whose == "passed-to-me":
        found.append(StaffTask.escalated_to == me)
    return found


def _case(row: Any) -> Case:
    return Case(**row._mapping)
