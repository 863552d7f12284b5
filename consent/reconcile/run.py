"""One reconciliation of one store: look, think, repair what may be repaired, and keep what was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import structlog
from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from consent.audit import write_audit
from consent.audit_tables import StaffTask
from consent.backfill.begin import Order, read_backfill
from consent.feed.pause import open_pause
from consent.feed.tables import Reconciliation
from consent.reconcile import ours
from consent.reconcile.look import Look, differences, look_at
from consent.reconcile.settle import ForPeople, Plan, settle
from consent.store_config import Store
from consent.stores.adapter import NotDelivered, StoreAdapter
from consent.stores.comparable import CannotCompare, Comparable
from database.context import as_propagation
from database.unit_of_work import Database

log = structlog.get_logger()

MOST_TASKS = 100
"""At most so many tasks of their own in one run; the run's count says how many there were."""
TASK = "store-drift"
AGREES, DRIFT, NO_ANSWER, CANNOT = "agrees", "drift", "no-answer", "cannot"

_AGAIN = text(
    "INSERT INTO store_retelling (store_id, position, asked_at) SELECT :store, p, :now"
    " FROM unnest(CAST(:positions AS bigint[])) AS p ON CONFLICT DO NOTHING"
)
_OPEN = text("SELECT detail ->> 'event' FROM staff_task WHERE store_id = :store AND kind = :kind AND closed_at IS NULL")
_CLOSE = text(
    "UPDATE staff_task SET closed_at = :now WHERE store_id = :store AND kind = :kind AND closed_at IS NULL"
    " AND NOT detail ->> 'event' = ANY (:still)"
)


@dataclass(frozen=True)
class Run:
    """What one reconciliation found, in counts. `outcome`: `agrees`; `drift`; `no-answer` (`reason` says why; nothing
    was changed); `cannot`: this store offers no way to be compared.

    `counted` should be in force there, `theirs` is what it counted itself; `repaired` decisions are told again, to
    share less; `to_people` became a task; `stray` people are kept out there for no reason of ours. `requests` were
    asked, `fetched` event numbers one by one. A `reason` beside `drift` says that there is more than one run settles.
    """

    store_id: str
    outcome: str
    reason: str | None
    through_event: int
    counted: int
    theirs: int | None
    differing: int
    repaired: int
    to_people: int
    stray: int
    requests: int
    fetched: int
    began_at: datetime
    ended_at: datetime


def reconcile(
    database: Database, adapter: StoreAdapter, clock: Callable[[], datetime], order: Order | None = None
) -> Run:
    """Compare what is in force at the adapter's store with what should be, and keep the result.

    `database` is the worker's login; `adapter` is one of its own, not the sender's. What is to be told again goes out
    with the feed. `order`: who asked for it, which is audited; None for the night's own. A store that lies, hangs or
    answers garbage costs the limits of `outbound`, and changes nothing.
    """
    began = clock()
    run = _compared(database, adapter, clock, began)
    with database.begin(as_propagation()) as session:
        session.execute(insert(Reconciliation).values(vars(run)))
        if order is not None:
            write_audit(session, began, order.line("store.compared", store=run.store_id))
    log.info(
        "reconcile.done", store=run.store_id, outcome=run.outcome, reason=run.reason, counted=run.counted,
        differing=run.differing, repaired=run.repaired,
    )  # fmt: skip
    return run


def _compared(database: Database, adapter: StoreAdapter, clock: Callable[[], datetime], began: datetime) -> Run:
    store = adapter.store
    with database.begin(as_propagation()) as session:
        hindrance = _hindrance(session, store)
        last, cursor = ours.through(session, store)
        facts = ours.facts(session, store, last)

    def ended(outcome: str, reason: str | None) -> Run:
        return Run(store.id, outcome, reason, last, len(facts), None, 0, 0, 0, 0, 0, 0, began, clock())

    if hindrance is not None:
        return ended(NO_ANSWER, hindrance)
    if not isinstance(adapter, Comparable):
        return ended(CANNOT, "kind")
    try:
        look = look_at(adapter, facts, last)
    except CannotCompare:
        return ended(CANNOT, "not-offered")
    except NotDelivered as error:
        return ended(NO_ANSWER, error.reason)
    plan = _settled(database, store, look, (last, cursor), clock())
    drift = plan.differing or look.counts.stray or not look.whole
    reason = None if look.whole else "more-differs"
    return Run(
        store.id, DRIFT if drift else AGREES, reason, last, len(facts), look.counts.total, plan.differing,
        len(plan.repairs), len(plan.people), look.counts.stray, look.requests, look.fetched, began, clock(),
    )  # fmt: skip


def _hindrance(session: Session, store: Store) -> str | None:
    """What keeps a comparison from meaning anything now."""
    if open_pause(session, store.id) is not None:
        return "paused"
    found = read_backfill(session, store.id)
    return "backfill-under-way" if found is not None and not found.is_done else None


def _settled(database: Database, store: Store, look: Look, told: tuple[int, int], now: datetime) -> Plan:
    """Look at our side again, since the stream went on meanwhile: what differs still is told again, or a task.

    `told`: the last event number, and the position up to which the stream was told, before the store was asked.
    """
    last, cursor = told
    with database.begin(as_propagation()) as session:
        plan = Plan((), ())
        if look.spans:
            lost, extra = differences(look, ours.facts(session, store, last))
            plan = settle(ours.missing(session, store, lost), ours.unexpected(session, store, extra, cursor))
        if plan.repairs:
            session.execute(_AGAIN, {"store": store.id, "positions": list(plan.repairs), "now": now})
        _tasks(session, store.id, plan.people, look.counts.stray, now)
    return plan


def _tasks(session: Session, store_id: str, people: Sequence[ForPeople], stray: int, now: datetime) -> None:
    """One open task for each difference that a person has to look at; those that are no more are closed."""
    found = {str(one.event): (one.person, {"event": one.event, "why": one.why.value}) for one in people}
    if stray:
        found["0"] = (None, {"event": 0, "why": "kept-out-unasked"})
    bound = {"store": store_id, "kind": TASK}
    session.execute(_CLOSE, {**bound, "still": list(found), "now": now})
    there = set(session.scalars(_OPEN, bound))
    new = [event for event in found if event not in there][:MOST_TASKS]
    rows = [
        {
            "id": uuid4(),
            "person_id": found[event][0],
            "practice_id": None,
            "store_id": store_id,
            "kind": TASK,
            "detail": found[event][1],
            "opened_at": now,
        }
        for event in new
    ]
    if rows:
        session.execute(insert(StaffTask), rows)
