"""Opening a person's page without a task of one's own (break-glass): a reason first, for a quarter of an hour, and the
person and the leads see it at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from consent.audit import Audited, write_audit
from consent.audit_tables import StaffTask
from consent.person_identity import Alias, find_person
from database.context import as_staff
from database.keyring import KeyRing
from fhir_bridge.providers import Provider
from notifications.tell import tell_in
from patient_portal.in_touch.texting import texting_of
from patient_portal.staff.members import logins_of
from patient_portal.staff.settling import end_theirs
from patient_portal.staff.tables import StaffOpening
from patient_portal.wiring import Wiring
from vocabulary.actor import Actor
from vocabulary.errors import Invalid, NotFound

OPEN_FOR = timedelta(minutes=15)
WHY_LEAST, WHY_MOST = 10, 500
A_LIST = 100


@dataclass(frozen=True)
class Opening:
    """One opening as leads see it: who, when and why; not about whom."""

    id: UUID
    by: UUID
    at: datetime
    why: str = field(repr=False)
    seen_by: UUID | None
    seen_at: datetime | None


def checked_reason(words: str) -> str:
    """The reason as it is kept; Invalid when it says nothing."""
    why = " ".join(words.split())
    if len(why) < WHY_LEAST:
        raise Invalid("why", {"why": "missing"})
    if len(why) > WHY_MOST:
        raise Invalid("why", {"why": "too-long"})
    return why


def findable(wiring: Wiring, actor: Actor) -> tuple[Provider, ...]:
    """The hospitals whose people this actor may look for by record number: those of their practices."""
    every = "*" in actor.practices
    return tuple(
        each for each in wiring.settings.providers
        if each.identifier_system and (every or practice_of(each) in actor.practices)
    )  # fmt: skip


def practice_of(provider: Provider) -> str:
    """The practice under which a hospital's people stand."""
    return provider.practice or f"{provider.id}-main"


def person_by_number(
    wiring: Wiring, actor: Actor, name: str, provider_id: str, number: str, now: datetime
) -> tuple[UUID, str]:
    """The person whom a hospital knows by this record number, and by which practice; Invalid when nobody is. Each try
    is audited."""
    provider = next((each for each in findable(wiring, actor) if each.id == provider_id), None)
    if provider is None or provider.identifier_system is None:
        raise Invalid("provider", {"provider": "missing"})
    if not 0 < len(number.strip()) <= 100:
        raise Invalid("number", {"number": "missing"})
    alias = Alias(provider.id, provider.identifier_system, number.strip(), provider.practice)
    found = find_person(wiring.database, wiring.keyring, alias)
    with wiring.database.begin(as_staff(actor.practices, _account(actor))) as session:
        line = Audited(
            None, "staff.searched", "R", actor.kind.value, actor.account_id, actor_reference=name,
            outcome="0" if found else "4", detail={"provider": provider.id},
        )  # fmt: skip
        write_audit(session, now, line)
    if found is None:
        raise Invalid("number", {"number": "nobody"})
    return found, practice_of(provider)


def open_page(
    wiring: Wiring, actor: Actor, name: str, person: UUID, why: str, now: datetime, *, practice: str | None,
    case_no: int | None = None,
) -> UUID:  # fmt: skip
    """Open a person's page for a quarter of an hour; returns the opening, by which the page is found.

    Leads of `practice` see it; with None those who serve all that the actor does. The person is told by the ways they
    chose for the topic `seen`; the words name nobody and nothing.
    """
    opening, me = uuid4(), _account(actor)
    with wiring.database.begin(as_staff(actor.practices, me, person)) as session:
        session.execute(
            insert(StaffOpening).values(
                id=opening, person_id=person, task_id=None, by_account=me, at=now, until=now + OPEN_FOR,
                why_sealed=wiring.keyring.seal(checked_reason(why).encode(), _place(opening)),
                practices=[practice] if practice else list(actor.practices),
            )
        )  # fmt: skip
        line = Audited(
            person, "staff.page-opened", "R", actor.kind.value, me, actor_reference=name,
            detail={"case": case_no} if case_no else {},
        )  # fmt: skip
        write_audit(session, now, line)
        # Nobody else tells the person of it, and who never looks at the list should hear of it too.
        tell_in(session, texting_of(wiring), person, "seen", str(opening), now)
    return opening


def open_page_of_case(wiring: Wiring, actor: Actor, name: str, case_no: int, why: str, now: datetime) -> UUID:
    """The same for the person whom a task is about that is not the actor's own."""
    with wiring.database.begin(as_staff(actor.practices, _account(actor))) as session:
        found = session.execute(
            select(StaffTask.person_id, StaffTask.practice_id).where(StaffTask.case_no == case_no)
        ).one_or_none()
    if found is None or found.person_id is None:
        raise NotFound("case")
    return open_page(
        wiring, actor, name, found.person_id, why, now, practice=found.practice_id, case_no=case_no
    )  # fmt: skip


def opened_person(session: Session, actor: Actor, opening: UUID, now: datetime) -> UUID:
    """Whose page this opening of the actor's own still opens; NotFound when it is another's, or over."""
    row = session.get(StaffOpening, opening)
    if row is None or row.by_account != actor.account_id or row.until < now:
        raise NotFound("opening")
    return row.person_id


def end_on_page(wiring: Wiring, actor: Actor, opening: UUID, authority: UUID, now: datetime) -> None:
    """Somebody called who may come to harm, and no case is about them: who made this statement acts for them no more.

    The reason is that of the opening, which a lead reads.
    """
    with wiring.database.begin(as_staff(actor.practices, _account(actor))) as session:
        end_theirs(session, wiring, actor, opened_person(session, actor, opening, now), authority, now)


def read_openings(session: Session, ring: KeyRing) -> list[Opening]:
    """For leads: those nobody looked at first, then the newest."""
    rows: Sequence[StaffOpening] = session.scalars(
        select(StaffOpening).order_by(StaffOpening.seen_at.is_not(None), StaffOpening.at.desc()).limit(A_LIST)
    ).all()
    return [
        Opening(row.id, row.by_account, row.at, ring.open(row.why_sealed, _place(row.id)).decode(), row.seen_by,
                row.seen_at)
        for row in rows
    ]  # fmt: skip


def unseen_by(session: Session, lead: UUID) -> int:
    """How many of what others opened nobody has looked at yet; in a staff context."""
    others = StaffOpening.by_account.not_in(logins_of(session, lead))
    return session.scalar(select(func.count()).where(StaffOpening.seen_at.is_(None), others)) or 0


def looked_at(wiring: Wiring, actor: Actor, opening: UUID, now: datetime) -> None:
    """A lead other than the one who opened it, by whatever sign-in, has looked at why; NotFound else."""
    me = _account(actor)
    with wiring.database.begin(as_staff(actor.practices, me)) as session:
        seen = session.scalar(
            update(StaffOpening)
            .where(StaffOpening.id == opening, StaffOpening.seen_at.is_(None))
            .where(StaffOpening.by_account.not_in(logins_of(session, me)))
            .values(seen_by=me, seen_at=now)
            .returning(StaffOpening.id)
        )
        if seen is None:
            raise NotFound("opening")


def _account(actor: Actor) -> UUID:
    assert actor.account_id is not None, "the gate lets only staff in"
    return actor.account_id


def _place(opening: UUID) -> str:
    return f"staff_opening:why:{opening}"
