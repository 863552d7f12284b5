"""What takes two: one member of staff asks, another allows or refuses, and only then is it done.

Closing many tasks at once, telling a store again what it has not confirmed, and changing a key. A key itself is never
reached from here: the command line changes it (`portal keys rotate`), and asks first what two have allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from consent.audit import Audited, write_audit
from consent.feed.replay import release_parked
from consent.store_config import Store
from database.context import as_propagation, as_staff, widen
from database.keyring import ROTATABLE, KeyRing
from patient_portal.staff.cases import OUTCOMES
from patient_portal.staff.members import logins_of
from patient_portal.staff.openings import checked_reason
from patient_portal.staff.queue import Wanted, matching
from patient_portal.staff.settling import SETTLES
from patient_portal.staff.tables import StaffRequest
from patient_portal.wiring import Wiring
from vocabulary.actor import Actor
from vocabulary.errors import Conflict, Invalid, NotFound, Refused

CLOSE_MANY, TELL_AGAIN, ROTATE_KEY = "close-many", "tell-again", "rotate-key"
ALLOWED_FOR = timedelta(hours=24)
"""How long a yes to changing a key may be used, once."""
MOST_AT_ONCE = 500
A_LIST = 50

_PERSONS_OF = text("SELECT DISTINCT person_id FROM staff_task WHERE id = ANY (:tasks) AND person_id IS NOT NULL")
# Each person finds a line about their own case, as when it is closed alone.
_CLOSE = text(
    "WITH closed AS (UPDATE staff_task SET closed_at = :now, closed_by = :by, outcome = :outcome"
    "  WHERE id = ANY (:tasks) AND closed_at IS NULL AND (assigned_to IS NULL OR assigned_to = :by)"
    "  RETURNING id, person_id, case_no),"
    " noted AS (INSERT INTO staff_task_event (task_id, kind, by_account, to_account, outcome, at)"
    "  SELECT id, 'closed-by-two', CAST(:by AS uuid), CAST(:second AS uuid), CAST(:outcome AS text),"
    "  CAST(:now AS timestamptz) FROM closed),"
    " audited AS (INSERT INTO audit_event (person_id, recorded_at, event, action, outcome, actor_kind, actor_account,"
    "  actor_reference, detail)"
    "  SELECT c.person_id, CAST(:now AS timestamptz), :event, :action, '0', m.role, m.account_id, m.name,"
    "  jsonb_build_object('what', 'closed-by-two', 'case', c.case_no, 'outcome', CAST(:outcome AS text))"
    "  FROM closed c JOIN staff_member m ON m.account_id = :by WHERE c.person_id IS NOT NULL)"
    " SELECT count(*) FROM closed"
)
_AGAIN = text(
    "WITH told AS (INSERT INTO store_retelling (store_id, position, asked_at)"
    " SELECT :store, q.position, :now FROM unconfirmed_event u"
    " JOIN position q ON q.person_id = u.person_id AND q.version = u.version"
    " WHERE u.store_id = :store ON CONFLICT DO NOTHING RETURNING 1) SELECT count(*) FROM told"
)


@dataclass(frozen=True)
class Request:
    """Something asked for. `count` of tasks it is about, or of what was done once `done_at`. `outcome`: how the tasks
    end, or the purpose of the key."""

    id: UUID
    kind: str
    store_id: str | None
    count: int
    outcome: str | None
    why: str = field(repr=False)
    by: UUID
    asked_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    answer: str | None
    done_at: datetime | None


def ask_to_close(wiring: Wiring, actor: Actor, wanted: Wanted, outcome: str, why: str, now: datetime) -> int:
    """Ask that all open tasks of a narrowed queue, which nobody else works on, are closed; how many they are."""
    if outcome not in OUTCOMES:
        raise Invalid("outcome", {"outcome": "missing"})
    if not wanted.kind:
        raise Invalid("kind", {"kind": "missing"})
    if wanted.kind in SETTLES:  # closing one of these does something, which is weighed each time
        raise Invalid("kind", {"kind": "one-by-one"})
    with wiring.database.begin(as_staff(actor.practices, _account(actor))) as session:
        tasks = matching(session, wanted, _account(actor), now, MOST_AT_ONCE)
        if not tasks:
            raise Invalid("none", {"kind": "none"})
        _ask(session, wiring.keyring, actor, CLOSE_MANY, wanted.store or None, tasks, outcome, why, now)
    return len(tasks)


def ask_to_tell_again(wiring: Wiring, actor: Actor, store_id: str, why: str, now: datetime) -> None:
    """Ask that a store is told again what it has not confirmed."""
    told_store(wiring, store_id)
    with wiring.database.begin(as_staff(actor.practices, _account(actor))) as session:
        _ask(session, wiring.keyring, actor, TELL_AGAIN, store_id, (), None, why, now)


def ask_to_rotate(wiring: Wiring, actor: Actor, purpose: str, why: str, now: datetime) -> None:
    """Ask that the key for one purpose is changed; somebody with a shell does it, within a day of the other's yes."""
    if purpose not in ROTATABLE:
        raise Invalid("purpose", {"purpose": "missing"})
    with wiring.database.begin(as_staff(actor.practices, _account(actor))) as session:
        _ask(session, wiring.keyring, actor, ROTATE_KEY, None, (), purpose, why, now)


def use_allowed(wiring: Wiring, request: UUID, purpose: str, now: datetime) -> None:
    """Use up what two allowed; NotFound, or Refused when it was not allowed, is too old, or was used. With the worker's
    login."""
    with wiring.database.begin(as_staff(("*",), request)) as session:
        row = session.get(StaffRequest, request, with_for_update=True)
        if row is None or row.kind != ROTATE_KEY or row.outcome != purpose:
            raise NotFound("request")
        if row.answer != "yes" or row.decided_at is None:
            raise Refused("not-allowed")
        if row.done_at is not None or row.decided_at < now - ALLOWED_FOR:
            raise Refused("used-or-too-old")
        session.execute(update(StaffRequest).where(StaffRequest.id == request).values(done_at=now, count=1))
        detail = {"what": ROTATE_KEY, "answer": "done"}
        write_audit(session, now, Audited(None, "staff.two-persons", "E", "system", row.by_account, detail=detail))


def told_store(wiring: Wiring, store_id: str) -> Store:
    """A store that is told of decisions; Invalid for any other."""
    found = next((store for store in wiring.settings.stores if store.id == store_id and store.is_told), None)
    if found is None:
        raise Invalid("store", {"store": "missing"})
    return found


Then = Callable[[Session, Request], None]
"""What follows from a yes and is a worker's to do: put on its list in the same commit, or it could be forgotten."""


def decide(
    wiring: Wiring, actor: Actor, name: str, request: UUID, *, allow: bool, now: datetime, then: Then
) -> Request:
    """Allow or refuse, as somebody else than who asked; closing is done at once, telling again by a worker (`then`).

    Refused for the one who asked, by whatever sign-in of theirs (SEC-08: nobody approves their own), Conflict when it
    was decided already.
    """
    me = _account(actor)
    with wiring.database.begin(as_staff(actor.practices, me)) as session:
        row = session.get(StaffRequest, request, with_for_update=True)
        if row is None:
            raise NotFound("request")
        if row.answer is not None:
            raise Conflict("decided")
        if row.by_account in logins_of(session, me):
            raise Refused("own-request")
        values: dict[str, object] = {"decided_by": me, "decided_at": now, "answer": "yes" if allow else "no"}
        if allow and row.kind == CLOSE_MANY:
            values |= {"count": _close_all(session, actor, row, now), "done_at": now}
        session.execute(update(StaffRequest).where(StaffRequest.id == row.id).values(**values))
        detail = {"what": row.kind, "answer": values["answer"]} | ({"store": row.store_id} if row.store_id else {})
        line = Audited(None, "staff.two-persons", "U", actor.kind.value, me, actor_reference=name, detail=detail)
        write_audit(session, now, line)
        session.refresh(row)
        found = _request(row, wiring.keyring)
        if allow and row.kind == TELL_AGAIN:
            then(session, found)
        return found


def _close_all(session: Session, actor: Actor, row: StaffRequest, now: datetime) -> int:
    """Close what was asked for, with a line for each person; the transaction reaches those people only for that."""
    me = _account(actor)
    persons = session.scalars(_PERSONS_OF, {"tasks": row.tasks}).all()
    widen(session, as_staff(actor.practices, me, *persons))
    bound = {
        "now": now, "by": row.by_account, "second": me, "outcome": row.outcome, "tasks": row.tasks,
        "event": "staff-task.changed", "action": "U",
    }  # fmt: skip
    closed = int(session.scalar(_CLOSE, bound) or 0)
    widen(session, as_staff(actor.practices, me))
    return closed


def tell_again(wiring: Wiring, request: UUID, now: datetime) -> int:
    """Do what two allowed: have the feed tell a store again; how many events. `wiring` has the worker's login.

    Done twice, it does nothing twice: what is on the list already is not put there again.
    """
    with wiring.database.begin(as_staff(("*",), request)) as session:
        row = session.get(StaffRequest, request)
        if row is None or row.answer != "yes" or row.kind != TELL_AGAIN or row.done_at is not None:
            return 0
        store_id, by = str(row.store_id), row.by_account
    store = told_store(wiring, store_id)
    with wiring.database.begin(as_propagation()) as session:
        count = int(session.scalar(_AGAIN, {"store": store.id, "now": now}) or 0)
        count += release_parked(session, store, 1, None, now)
        detail = {"what": TELL_AGAIN, "store": store.id, "count": count}
        write_audit(session, now, Audited(None, "staff.two-persons", "E", "system", by, detail=detail))
    with wiring.database.begin(as_staff(("*",), request)) as session:
        session.execute(update(StaffRequest).where(StaffRequest.id == request).values(done_at=now, count=count))
    return count


def read_requests(session: Session, ring: KeyRing) -> list[Request]:
    """What is asked, the undecided first, then the newest; in a staff context."""
    rows: Sequence[StaffRequest] = session.scalars(
        select(StaffRequest).order_by(StaffRequest.answer.is_not(None), StaffRequest.asked_at.desc()).limit(A_LIST)
    ).all()
    return [_request(row, ring) for row in rows]


def _ask(
    session: Session, ring: KeyRing, actor: Actor, kind: str, store: str | None, tasks: Sequence[UUID],
    outcome: str | None, why: str, now: datetime,
) -> None:  # fmt: skip
    request, words = uuid4(), checked_reason(why)
    session.execute(
        insert(StaffRequest).values(
            id=request, kind=kind, store_id=store, tasks=list(tasks), outcome=outcome, by_account=_account(actor),
            why_sealed=ring.seal(words.encode(), _place(request)), asked_at=now, practices=list(actor.practices),
        )
    )  # fmt: skip
    detail = {"what": kind, "answer": "asked"} | ({"store": store} if store else {})
    write_audit(
        session, now, Audited(None, "staff.two-persons", "C", actor.kind.value, actor.account_id, detail=detail)
    )


def _request(row: StaffRequest, ring: KeyRing) -> Request:
    return Request(
        row.id, row.kind, row.store_id, row.count if row.count is not None else len(row.tasks), row.outcome,
        ring.open(row.why_sealed, _place(row.id)).decode(), row.by_account, row.asked_at, row.decided_by,
        row.decided_at, row.answer, row.done_at,
    )  # fmt: skip


def _account(actor: Actor) -> UUID:
    assert actor.account_id is not None, "the gate lets only staff in"
    return actor.account_id


def _place(request: UUID) -> str:
    return f"staff_request:why:{request}"
