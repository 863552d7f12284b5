"""A death that somebody tells us of, without signing in (HIP-16).

Texts pause at once, because a text to somebody who died hurts those who read it; nothing else changes until staff have
looked. What the person had decided goes on holding, before and after: a report is never a withdrawal. Who was reported
dead and is not says so by one press, and texts come again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

import orjson
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from consent.audit import Audited, write_audit
from consent.audit_tables import LOOKED_AT_WITHIN, StaffTask
from consent.authority.tables import DeathReport
from consent.authority.typed import one_line
from consent.tables import Person
from database.context import knowing
from database.keyring import KeyRing
from database.unit_of_work import Database
from vocabulary.calendar_day import FURTHEST_ZONE
from vocabulary.errors import Conflict, Invalid, NotFound

TASK, DISPUTED = "death-reported", "death-disputed"
HEARD_ALIVE = timedelta(days=30)
LONGEST = 200
NOBODY = UUID(int=0)
FIELDS = ("name", "born", "clinic", "died", "who", "reach")
NEEDED = ("name", "who", "reach")


class Outcome(StrEnum):
    """What staff, or the person, found."""

    CONFIRMED = "confirmed"
    MISTAKEN = "mistaken"


@dataclass(frozen=True)
class Reported:
    """One report as staff see it. `told` has the keys of `FIELDS`."""

    id: UUID
    person: UUID | None
    told: Mapping[str, str]
    reported_at: datetime
    outcome: Outcome | None


def check_report(told: Mapping[str, str]) -> dict[str, str]:
    """The fields as they are kept; Invalid names each that is missing or too long."""
    kept = {name: one_line(told.get(name, "")) for name in FIELDS}
    wrong = {name: "missing" for name in NEEDED if not kept[name]}
    wrong |= {name: "too-long" for name, words in kept.items() if len(words) > LONGEST}
    if wrong:
        raise Invalid("death-report", wrong)
    return kept


Pause = Callable[[Session, UUID, datetime], None]
"""Keeps every message away from a person, in the transaction of the report (`notifications.silence.fall_silent`)."""


def report_death(
    database: Database, ring: KeyRing, told: Mapping[str, str], persons: Sequence[UUID], now: datetime, pause: Pause
) -> None:
    """Keep a report for each person it may be about, or one about nobody known, and open its task for staff.

    Messages pause in the same commit: not for who was found alive in the last 30 days, for then staff look first, or
    a stranger could keep somebody's messages away by reporting again and again. Whoever reports learns nothing of
    whether anybody was found: about nobody the same statements are sent (abuse case 15).
    """
    kept = check_report(told)
    for person in persons or (None,):
        report = uuid4()
        index = report_index(ring, report)
        with database.begin(knowing(index, persons=(person or NOBODY,))) as session:
            alive = _found_alive(session, person or NOBODY, now)
            pause(session, NOBODY if alive or person is None else person, now)
            row = {
                "id": report, "report_index": index, "person_id": person, "reported_at": now,
                "told_sealed": ring.seal(orjson.dumps(kept), _place(report)),
                "outcome": None, "settled_by": None, "settled_at": None,
            }  # fmt: skip
            session.execute(insert(DeathReport).values(row))
            _open_task(session, TASK, person, {"report": str(report)}, now)
            write_audit(session, now, Audited(person, "death.reported", "C", "anonymous"))


def report_is_about(
    session: Session, report: UUID, person: UUID, *, by: str, account: UUID | None, now: datetime
) -> None:
    """Staff found whom a report about nobody known is about; NotFound without it, Conflict when somebody is named.

    The session reaches the person and the report (`report_index`).
    """
    row = session.get(DeathReport, report, with_for_update=True)
    if row is None:
        raise NotFound("death-report")
    if row.person_id is not None or row.outcome is not None:
        raise Conflict("settled")
    session.execute(update(DeathReport).where(DeathReport.id == report).values(person_id=person))
    write_audit(session, now, Audited(person, "death.reported", "C", by, actor_account=account))


def _open_task(session: Session, kind: str, person: UUID | None, detail: Mapping[str, str], now: datetime) -> None:
    row = {
        "id": uuid4(), "person_id": person, "practice_id": None, "store_id": None, "kind": kind,
        "detail": dict(detail), "opened_at": now, "due_at": now + LOOKED_AT_WITHIN, "closed_at": None,
    }  # fmt: skip
    session.execute(insert(StaffTask).values(row))


def _found_alive(session: Session, person: UUID, now: datetime) -> bool:
    lately = DeathReport.settled_at > now - HEARD_ALIVE
    found = select(DeathReport.id).where(
        DeathReport.person_id == person, DeathReport.outcome == Outcome.MISTAKEN, lately
    )
    return session.scalar(found.limit(1)) is not None


def waiting(session: Session, ring: KeyRing, persons: Sequence[UUID]) -> list[Reported]:
    """Reports about these people that nobody has settled yet."""
    rows = session.scalars(
        select(DeathReport).where(DeathReport.person_id.in_(persons), DeathReport.outcome.is_(None))
    ).all()
    return [_reported(ring, row) for row in rows]


def dispute(session: Session, persons: Sequence[UUID], now: datetime) -> bool:
    """Somebody signed in whose death staff confirmed, and says "I am here": a task for staff, one at a time.

    Nothing else changes yet, for a sign-in outlives its owner. False when nobody of these was found dead.
    """
    dead = session.scalars(select(Person.id).where(Person.id.in_(persons), Person.died_on.is_not(None))).all()
    for person in dead:
        open_one = select(StaffTask.id).where(
            StaffTask.person_id == person, StaffTask.kind == DISPUTED, StaffTask.closed_at.is_(None)
        )
        if session.scalar(open_one) is None:
            _open_task(session, DISPUTED, person, {}, now)
    return bool(dead)


def found_alive(session: Session, person: UUID, *, by: str, account: UUID | None, now: datetime) -> None:
    """Staff found that a confirmed death was none; a new yes can be given again."""
    session.execute(update(Person).where(Person.id == person).values(died_on=None))
    write_audit(session, now, Audited(person, "death.mistaken", "U", by, actor_account=account))


def report_of(session: Session, ring: KeyRing, report: UUID) -> Reported:
    """One report, in a context that knows its index (`report_index`); NotFound else."""
    row = session.get(DeathReport, report)
    if row is None:
        raise NotFound("death-report")
    return _reported(ring, row)


def settle_report(
    session: Session, report: UUID, outcome: Outcome, *, by: str, died_on: date | None, now: datetime,
    account: UUID | None = None,
) -> UUID | None:  # fmt: skip
    """Confirm a death, or find that it was a mistake; returns whose texts it is about. Conflict when it is settled.

    A confirmed death needs its day. It ends no choice; it keeps anyone but an estate from giving a new yes. `by` is
    the kind of actor, `account` whose it was.
    """
    row = session.get(DeathReport, report, with_for_update=True)
    if row is None:
        raise NotFound("death-report")
    if row.outcome is not None:
        raise Conflict("settled")
    if outcome is Outcome.CONFIRMED and (died_on is None or died_on > (now + FURTHEST_ZONE).date()):
        raise Invalid("died-on", {"died": "missing"})
    settled = {"outcome": outcome.value, "settled_by": by, "settled_at": now}
    session.execute(update(DeathReport).where(DeathReport.id == report).values(settled))
    if row.person_id is not None:
        if outcome is Outcome.CONFIRMED:
            session.execute(update(Person).where(Person.id == row.person_id).values(died_on=died_on))
        write_audit(session, now, Audited(row.person_id, f"death.{outcome.value}", "U", by, account))
    return row.person_id


def report_index(ring: KeyRing, report: UUID) -> bytes:
    """The keyed index by which staff reach a report about nobody known, from its task."""
    return ring.blind_index("death-report", str(report))


def _reported(ring: KeyRing, row: DeathReport) -> Reported:
    told = orjson.loads(ring.open(row.told_sealed, _place(row.id)))
    return Reported(row.id, row.person_id, told, row.reported_at, Outcome(row.outcome) if row.outcome else None)


def _place(report: UUID) -> str:
    return f"death_report:told:{report}"
