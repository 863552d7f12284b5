"""Helpers whom a person invites: they read and fill in, and never sign (decisions.md, threats.md abuse case 11).

A helper needs no account and no paper. They hold a link, and a passcode that the person tells them; both together
open the record for one visit, which the person sees in a list and can end at once.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4, uuid5

import orjson
from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from consent.audit import Audited, by_actor, write_audit
from consent.authority.tables import FilledIn, HelperRow, HelperVisit
from consent.authority.typed import one_line
from consent.tables import Person
from database.context import knowing, widen
from database.keyring import KeyRing
from database.unit_of_work import Database
from vocabulary.actor import Actor, ActorKind
from vocabulary.errors import Conflict, Invalid, NotFound, PortalError

SECRET_BYTES, PASSCODE_DIGITS, ATTEMPTS, MOST_HELPERS = 32, 8, 10, 10
LASTS = {"week": timedelta(days=7), "month": timedelta(days=30), "quarter": timedelta(days=90)}
CAME, WRONG_PASSCODE = "came", "wrong-passcode"
LONGEST_NAME = 80
_LOCK = text("SELECT id FROM person WHERE id = :person FOR UPDATE")


class WrongPasscode(PortalError):
    """The passcode is not right; `remaining` tries are left before the invitation closes for good."""

    def __init__(self, remaining: int) -> None:
        super().__init__("wrong-passcode")
        self.remaining = remaining


@dataclass(frozen=True)
class Invitation:
    """What the person gets to hand on, once: it is not kept anywhere in this form."""

    helper: UUID
    token: str
    passcode: str


@dataclass(frozen=True)
class Helper:
    """A helper as the person sees them; `visits`: when they came, and when somebody had a wrong passcode."""

    id: UUID
    name: str
    invited_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    attempts_left: int
    visits: tuple[tuple[datetime, str], ...]

    def works(self, now: datetime) -> bool:
        return self.ended_at is None and self.expires_at > now and self.attempts_left > 0


@dataclass(frozen=True)
class Came:
    """Who came in: the helper, and for whom."""

    helper: UUID
    person: UUID
    name: str
    until: datetime


def invite(
    session: Session, ring: KeyRing, actor: Actor, name: str, lasts: str, now: datetime, *, form: str = ""
) -> Invitation:
    """A link and a passcode for one helper. Invalid names the field; Conflict when there are too many.

    The same `form` sent twice invites one helper: the link that was made first gives way to the second, which is the
    one on the page. Conflict once somebody came by the first, or it was ended.
    """
    assert actor.person is not None
    name = one_line(name)
    if not name or len(name) > LONGEST_NAME:
        raise Invalid("helper", {"name": "missing"})
    if lasts not in LASTS:
        raise Invalid("helper", {"lasts": "missing"})
    helper = uuid5(actor.person, form) if form else uuid4()
    session.execute(_LOCK, {"person": actor.person})
    before = helpers_of(session, ring, (actor.person,))
    again = next((one for one in before if one.id == helper), None)
    if again is not None and (again.ended_at is not None or again.visits):
        raise Conflict("invited-before")
    if again is not None:
        session.execute(delete(HelperRow).where(HelperRow.id == helper, HelperRow.person_id == actor.person))
    if sum(one.works(now) for one in before if one is not again) >= MOST_HELPERS:
        raise Conflict("too-many-helpers")
    token = secrets.token_urlsafe(SECRET_BYTES)
    passcode = f"{secrets.randbelow(10**PASSCODE_DIGITS):0{PASSCODE_DIGITS}}"
    session.add(
        HelperRow(
            id=helper, person_id=actor.person, token_index=_token_index(ring, token), attempts_left=ATTEMPTS,
            passcode_index=_passcode_index(ring, helper, passcode), invited_at=now, expires_at=now + LASTS[lasts],
            known_sealed=ring.seal(orjson.dumps({"name": name}), _place(helper)), ended_at=None,
        )
    )  # fmt: skip
    if again is None:
        write_audit(session, now, by_actor(actor, "helper.invited", "C"))
    return Invitation(helper, token, passcode)


def end(session: Session, actor: Actor, helper: UUID, now: datetime) -> None:
    """From now on they reach nothing, in an open visit neither; NotFound when it is nobody of this person's.

    The forms they filled in go too: nothing of theirs stands ticked before the person any more.
    """
    mine = (HelperRow.id == helper, HelperRow.person_id.in_(actor.persons))
    if session.scalar(select(HelperRow.id).where(*mine)) is None:
        raise NotFound("helper")
    ended = update(HelperRow).where(*mine, HelperRow.ended_at.is_(None)).values(ended_at=now).returning(HelperRow.id)
    if session.scalar(ended) is not None:
        session.execute(delete(FilledIn).where(FilledIn.helper_id == helper, FilledIn.person_id.in_(actor.persons)))
        write_audit(session, now, by_actor(actor, "helper.ended", "D"))


def forget_helpers(session: Session, actor: Actor, now: datetime) -> None:
    """Delete every helper of these people with their visits and what they filled in: they reach nothing from now on."""
    session.execute(delete(FilledIn).where(FilledIn.person_id.in_(actor.persons)))
    gone = delete(HelperRow).where(HelperRow.person_id.in_(actor.persons)).returning(HelperRow.person_id)
    ended = [by_actor(actor, "helper.ended", "D", person=person) for person in session.scalars(gone)]
    if ended:
        write_audit(session, now, *ended)


def helpers_of(session: Session, ring: KeyRing, persons: Sequence[UUID]) -> list[Helper]:
    """Everybody ever invited, newest first, with each visit."""
    rows = session.scalars(
        select(HelperRow).where(HelperRow.person_id.in_(persons)).order_by(HelperRow.invited_at.desc())
    ).all()
    visits = session.scalars(
        select(HelperVisit).where(HelperVisit.person_id.in_(persons)).order_by(HelperVisit.id.desc())
    ).all()
    return [
        Helper(
            row.id, _name(ring, row), row.invited_at, row.expires_at, row.ended_at, row.attempts_left,
            tuple((one.at, one.outcome) for one in visits if one.helper_id == row.id),
        )
        for row in rows
    ]  # fmt: skip


def come(database: Database, ring: KeyRing, token: str, passcode: str, now: datetime) -> Came:
    """A visit begins. NotFound for a link that does not work, WrongPasscode with the tries left.

    The row is locked while a passcode is held against it, so that parallel tries count one by one.
    """
    index = _token_index(ring, token)
    with database.begin(knowing(index)) as session:
        row = session.scalar(select(HelperRow).where(HelperRow.token_index == index).with_for_update())
        if row is None or not _works(row, now):
            raise NotFound("helper")
        given = _passcode_index(ring, row.id, "".join(passcode.split()))
        right = hmac.compare_digest(row.passcode_index, given)
        left = ATTEMPTS if right else row.attempts_left - 1
        session.execute(update(HelperRow).where(HelperRow.id == row.id).values(attempts_left=left))
        session.add(
            HelperVisit(
                helper_id=row.id, person_id=row.person_id, token_index=index, at=now,
                outcome=CAME if right else WRONG_PASSCODE,
            )
        )  # fmt: skip
        found = Came(row.id, row.person_id, _name(ring, row), row.expires_at)
        if right:
            session.flush()
            widen(session, knowing(index, persons=(row.person_id,)))
            if _died(session, row.person_id):
                raise NotFound("helper")
            line = Audited(row.person_id, "helper.came", "E", ActorKind.HELPER.value, actor_account=row.id)
            write_audit(session, now, line)
    if not right:
        raise WrongPasscode(left)
    return found


def still_works(session: Session, helper: UUID, now: datetime) -> bool:
    """Whether a helper may go on; asked at each of their requests, so that an end counts at once.

    Who invited them had to be alive: after a confirmed death only the estate reads (45 CFR 164.502(g)(4)).
    """
    row = session.get(HelperRow, helper)
    return row is not None and _works(row, now) and not _died(session, row.person_id)


def fill_in(
    session: Session, ring: KeyRing, actor: Actor, effort: str, form: dict[str, list[str]], now: datetime
) -> None:
    """Keep a form for the person to look at; nothing is decided by it. `form` holds ticked parts only, no name."""
    assert actor.person is not None
    assert actor.account_id is not None
    assert actor.kind is ActorKind.HELPER
    sealed = ring.seal(orjson.dumps(form), _draft_place(actor.person, effort))
    row = {"helper_id": actor.account_id, "sealed": sealed, "filled_in_at": now}
    kept = insert(FilledIn).values(row | {"person_id": actor.person, "effort_id": effort})
    session.execute(kept.on_conflict_do_update(index_elements=["person_id", "effort_id"], set_=row))
    write_audit(session, now, by_actor(actor, "helper.filled-in", "C", detail={"effort": effort}))


@dataclass(frozen=True)
class Draft:
    """A form as a helper left it, and who that was."""

    helper: str
    form: dict[str, list[str]]
    filled_in_at: datetime


def filled_in(session: Session, ring: KeyRing, persons: Sequence[UUID], effort: str) -> Draft | None:
    """The newest form a helper left for this effort, or None."""
    found = session.execute(
        select(FilledIn, HelperRow)
        .join(HelperRow, HelperRow.id == FilledIn.helper_id)
        .where(FilledIn.person_id.in_(persons), FilledIn.effort_id == effort)
        .order_by(FilledIn.filled_in_at.desc())
        .limit(1)
    ).first()
    if found is None:
        return None
    row, helper = found
    form = orjson.loads(ring.open(row.sealed, _draft_place(row.person_id, effort)))
    return Draft(_name(ring, helper), form, row.filled_in_at)


def forget_form(session: Session, persons: Sequence[UUID], effort: str) -> None:
    """The person has decided about this effort: what a helper ticked for it is used up."""
    session.execute(delete(FilledIn).where(FilledIn.person_id.in_(persons), FilledIn.effort_id == effort))


def _works(row: HelperRow, now: datetime) -> bool:
    return row.ended_at is None and row.expires_at > now and row.attempts_left > 0


def _died(session: Session, person: UUID) -> bool:
    return session.scalar(select(Person.died_on).where(Person.id == person)) is not None


def _name(ring: KeyRing, row: HelperRow) -> str:
    return str(orjson.loads(ring.open(row.known_sealed, _place(row.id)))["name"])


def _token_index(ring: KeyRing, token: str) -> bytes:
    return ring.blind_index("helper", token)


def _passcode_index(ring: KeyRing, helper: UUID, passcode: str) -> bytes:
    return ring.blind_index("helper-passcode", f"{helper}\x00{passcode}")


def _place(helper: UUID) -> str:
    return f"helper:known:{helper}"


def _draft_place(person: UUID, effort: str) -> str:
    return f"filled_in:{person}:{effort}"
