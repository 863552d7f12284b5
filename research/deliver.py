"""Donated data on its way: for every standing yes, build from the pinned record and send to the effort's store.

The yes is asked again in the transaction that pins the record (X-08), and once more before each part is sent. The
row that says what goes is written before it goes. Nothing expires: a store that is down is tried for ever, ever more
slowly, and what it refuses is parked in sight.

A store that does not hear decisions gets nothing new (SUB-10): while its channel is in error or was never greeted, or
it is behind the ledger for longer than its own `deadline`, every mark waits. A no still goes, by the feed.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.audit import Audited, write_audit
from consent.donors import last_told, store_lags
from consent.effort_ends import as_they_stand
from consent.efforts import SANDBOX_EFFORTS, Effort, effort_by_id
from consent.feed.pace import Pace
from consent.history import read_history
from consent.person_identity import linked_persons
from consent.store_config import Store
from database.context import as_persons, as_propagation, as_release
from database.keyring import KeyRing
from database.unit_of_work import Database
from fhir_bridge.person_ciphers import cipher_of
from outbound.client import OutboundClient
from research import delivery_rows as rows
from research.answer import NotTaken
from research.deidentify.delivery import Source
from research.due import Mark, cursor_name, due_marks, read_ledger, takes_donations
from research.permission import NoPermit, Permit, permit_for, version_to_send
from research.record_pin import is_being_retrieved, pin_record, pinned_sources
from research.selection import lines_of, select
from research.send import Parcel, send
from vocabulary.actor import ActorKind

log = structlog.get_logger()

RETRIEVAL_WAIT = timedelta(seconds=5)
LAG_WAIT = timedelta(seconds=5)
PARKED_AFTER = 8
_PAUSE = text(
    "UPDATE store_cursor SET failures = :failures, last_error = :error, next_try_at = :next, updated_at = :now"
    " WHERE store_id = :cursor"
)
_PAUSED = text("SELECT failures, next_try_at FROM store_cursor WHERE store_id = :cursor")


class Outcome(StrEnum):
    """What looking at one mark came to."""

    DELIVERED = "delivered"
    HELD_ALREADY = "held-already"
    NOTHING = "nothing-to-send"
    NO_PERMIT = "no-permit"
    LATER = "later"
    STORE_LAGS = "store-lags"
    NOT_TAKEN = "not-taken"
    SILENT = "store-silent"


@dataclass(frozen=True)
class Courier:
    """Everything one process needs to deliver. It keeps nothing in memory between calls."""

    database: Database
    ring: KeyRing
    http: OutboundClient
    clock: Callable[[], datetime]
    efforts: tuple[Effort, ...] = SANDBOX_EFFORTS
    pace: Pace = field(default_factory=Pace)
    chance: Callable[[], float] = random.random


@dataclass(frozen=True)
class _Built:
    delivery: rows.Opened
    permit: Permit
    version: int
    sources: tuple[Source, ...]


def deliver_due(
    database: Database,
    ring: KeyRing,
    stores: Sequence[Store],
    http: OutboundClient,
    clock: Callable[[], datetime],
) -> int:
    """Deliver what is due to every effort's store, once through; how many deliveries were taken.

    `database`: the worker's login. A store that is silent rests; the others go on. Unavailable when the database
    does not answer: nothing is lost.
    """
    courier = Courier(database, ring, http, clock)
    return sum(deliver_to(courier, store) for store in stores if takes_donations(store))


def deliver_to(courier: Courier, store: Store) -> int:
    """One store's part of `deliver_due`."""
    while read_ledger(courier.database, store, courier.clock()):
        pass
    effort = effort_by_id(store.effort or "", courier.efforts)
    if effort is None:
        return 0
    with courier.database.begin(as_release()) as session:
        pause = session.execute(_PAUSED, {"cursor": cursor_name(store)}).one()
        if pause.next_try_at is not None and pause.next_try_at > courier.clock():
            return 0
        marks = due_marks(session, store, courier.clock())
    delivered = 0
    for mark in marks:
        outcome = deliver_one(courier, store, effort, mark)
        delivered += outcome is Outcome.DELIVERED
        if outcome is Outcome.SILENT:
            _rest(courier, store, pause.failures + 1)
            return delivered
        if outcome is Outcome.STORE_LAGS:  # the others wait as they are: a long queue is not written anew each time
            return delivered
    if delivered and pause.failures:
        _rest(courier, store, 0)
    return delivered


def deliver_one(courier: Courier, store: Store, effort: Effort, mark: Mark) -> Outcome:
    """Look at one donation: build and send it, or find that nothing is to be sent, or not yet."""
    persons = linked_persons(courier.database, mark.person)
    with courier.database.begin(as_propagation()) as session:
        lags = store_lags(session, store.id, courier.clock(), store.deadline)
    with courier.database.begin(as_persons(*persons)) as session:
        built = _build(session, courier, store, effort, mark, persons, lags=lags)
    if isinstance(built, Outcome):
        return built
    fates = select(built.sources, built.permit.chosen, built.delivery.id.bytes, courier.clock().year)
    lines = lines_of(fates, effort.holds)
    parcel = Parcel(built.delivery.subject, built.version, str(built.delivery.id), lines)
    if not lines:
        with courier.database.begin(as_persons(mark.person)) as session:
            rows.note_nothing(session, built.delivery.id, courier.clock())
            rows.settle(session, mark)
        return Outcome.NOTHING
    return _send(courier, store, effort, mark, built, parcel)


def _build(
    session: Session,
    courier: Courier,
    store: Store,
    effort: Effort,
    mark: Mark,
    persons: tuple[UUID, ...],
    *,
    lags: bool,
) -> _Built | Outcome:
    """The standing now, the record as it is now and the row that joins them, in one transaction (X-08).

    What the store was told is read before the standing: of a no between the two the standing knows.
    """
    now = courier.clock()
    told = last_told(session, store, mark.person)
    permit = _permit(session, persons, mark.person, effort, now)
    if isinstance(permit, NoPermit):
        rows.stop_open(session, store, mark.person)
        if permit.not_before is not None:
            rows.look_later(session, mark, permit.not_before, failed=False)
        else:
            rows.settle(session, mark)
        return Outcome.NO_PERMIT
    version = version_to_send(permit, told)
    if lags or version is None:
        rows.look_later(session, mark, now + LAG_WAIT, failed=False)
        return Outcome.STORE_LAGS if lags else Outcome.LATER
    if is_being_retrieved(session, mark.person, now):
        rows.look_later(session, mark, now + RETRIEVAL_WAIT, failed=False)
        return Outcome.LATER
    pinned = pin_record(session, mark.person)
    delivery = rows.open_delivery(session, store, permit, pinned, now) if pinned.versions else None
    if delivery is None:
        rows.settle(session, mark)
        return Outcome.HELD_ALREADY if pinned.versions else Outcome.NOTHING
    cipher = cipher_of(session, courier.ring, mark.person)
    return _Built(delivery, permit, version, tuple(pinned_sources(session, cipher, pinned)))


def _permit(
    session: Session, persons: tuple[UUID, ...], person: UUID, effort: Effort, now: datetime
) -> Permit | NoPermit:
    history = [entry.decision for entry in read_history(session, persons)]
    (effort,) = as_they_stand(session, (effort,))
    return permit_for(history, person, effort, now)


def _send(courier: Courier, store: Store, effort: Effort, mark: Mark, built: _Built, parcel: Parcel) -> Outcome:
    digest = hashlib.sha256(b"\n".join(parcel.lines)).digest()
    with courier.database.begin(as_persons(mark.person)) as session:
        rows.note_sending(session, built.delivery.id, len(parcel.lines), digest, courier.clock())
    try:
        taken = send(
            store,
            courier.http,
            parcel,
            courier.clock,
            lambda: _still_stands(courier, effort, mark, built.permit),
        )
    except NotTaken as error:
        return _not_taken(courier, store, mark, built.delivery.id, error)
    answer = {"received": sum(one.received for one in taken), "at": taken[-1].at, "signature": taken[-1].signature}
    with courier.database.begin(as_persons(mark.person)) as session:
        rows.note_delivered(session, built.delivery.id, answer, courier.clock())
        rows.settle(session, mark)
        detail = {"effort": effort.id, "manifest": parcel.manifest, "count": len(parcel.lines)}
        line = Audited(mark.person, "donation.sent", "E", ActorKind.SYSTEM.value, detail=detail)
        write_audit(session, courier.clock(), line)
    log.info("donation.delivered", store=store.id, delivery=str(built.delivery.id), count=len(parcel.lines))
    return Outcome.DELIVERED


def _still_stands(courier: Courier, effort: Effort, mark: Mark, permit: Permit) -> bool:
    """Asked right before each part goes: nothing is sent after a no."""
    persons = linked_persons(courier.database, mark.person)
    with courier.database.begin(as_persons(*persons)) as session:
        return _permit(session, persons, mark.person, effort, courier.clock()) == permit


def _not_taken(courier: Courier, store: Store, mark: Mark, delivery: UUID, error: NotTaken) -> Outcome:
    now = courier.clock()
    if error.reason == "stopped":  # the next look finds out why, and stops or builds anew
        with courier.database.begin(as_persons(mark.person)) as session:
            rows.stop_open(session, store, mark.person)
            rows.look_later(session, mark, now, failed=False)
        log.info("donation.stopped", store=store.id, delivery=str(delivery))
        return Outcome.NO_PERMIT
    attempts = mark.attempts + 1
    wait = courier.pace.wait(attempts if error.answered else 1, courier.chance(), error.wait_seconds)
    parked = error.refused or attempts >= PARKED_AFTER
    with courier.database.begin(as_persons(mark.person)) as session:
        rows.note_failed(session, delivery, error.reason, now + wait, parked=parked)
        rows.look_later(session, mark, now + wait, failed=True)
    say = log.error if parked else log.warning
    say("donation.not-taken", store=store.id, delivery=str(delivery), reason=error.reason, attempts=attempts)
    return Outcome.NOT_TAKEN if error.answered else Outcome.SILENT


def _rest(courier: Courier, store: Store, failures: int) -> None:
    now = courier.clock()
    next_try = now + courier.pace.wait(failures, courier.chance()) if failures else None
    bound = {
        "cursor": cursor_name(store),
        "failures": failures,
        "error": "silent" if failures else None,
        "next": next_try,
        "now": now,
    }
    with courier.database.begin(as_release()) as session:
        session.execute(_PAUSE, bound)
