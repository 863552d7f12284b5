"""The feed process: the sequencer, one sender per store, and sealing, each in a thread until told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import text

from consent.efforts import SANDBOX_EFFORTS, Effort
from consent.feed.begin_and_end import Calendar
from consent.feed.lease import Leases
from consent.feed.pace import Pace
from consent.feed.read_ahead import ReadAhead
from consent.feed.sender import Sender, Step
from consent.overdue import Owed
from consent.reconcile.nightly import Nightly
from consent.seal import Sealer
from consent.sequencer import AT_ONCE, sequence_once
from consent.store_config import Store
from consent.stores.adapters import adapter_for as adapter_for
from consent.stores.stream_wire import TakesReceipts
from consent.stream_receipts import take_stream_receipts
from database.context import as_nobody, as_propagation
from database.heartbeat import beat
from database.keyring import KeyRing
from database.unit_of_work import Database
from outbound.client import OutboundClient
from vocabulary.errors import Unavailable

log = structlog.get_logger()

Rest = float | Callable[[], float]
"""How many seconds a loop rests when its work says so."""

SEQUENCE_EVERY, SEQUENCE_SOON = 0.1, 0.01
BUSY_SECONDS = 2.0
LOOK_EVERY = 1.0
SEAL_EVERY = 5.0
DATES_EVERY = 15.0
COUNT_EVERY = 60.0
BEAT_EVERY = 5.0
RECONCILE_EVERY = 600.0

_STORE = text(
    "INSERT INTO store (id, name, kind, holds, basis, effort_id, deadline_seconds, contact, added_at)"
    " VALUES (:id, :name, :kind, :holds, :basis, :effort, :deadline, :contact, :now) ON CONFLICT (id) DO UPDATE SET"
    " name = excluded.name, kind = excluded.kind, holds = excluded.holds, basis = excluded.basis,"
    " effort_id = excluded.effort_id, deadline_seconds = excluded.deadline_seconds, contact = excluded.contact,"
    " retired_at = NULL"
)
_EFFORT = text(
    "INSERT INTO effort (id, name, via_cancerlinq, invented, text_id) VALUES (:id, :name, :via, :invented, :id)"
    " ON CONFLICT (id) DO UPDATE SET name = excluded.name, via_cancerlinq = excluded.via_cancerlinq,"
    " invented = excluded.invented"
)
_CURSOR = text(
    "INSERT INTO store_cursor (store_id, position, event_number, failures, updated_at)"
    " VALUES (:store, 0, 0, 0, :now) ON CONFLICT (store_id) DO NOTHING"
)


def utc_now() -> datetime:
    return datetime.now(UTC)


def note_stores(
    database: Database, stores: Sequence[Store], now: datetime, efforts: Sequence[Effort] = SANDBOX_EFFORTS
) -> None:
    """Bring the catalogue of stores and efforts up to date and give each new store a cursor at the beginning:
    its feed then holds all that ever concerned its people, and nobody else."""
    with database.begin(as_nobody()) as session:
        for effort in efforts:
            values = {"id": effort.id, "name": str(effort.name), "via": effort.via_cancerlinq}
            session.execute(_EFFORT, {**values, "invented": effort.invented})
        for store in stores:
            session.execute(_STORE, _store_values(store, now))
    with database.begin(as_propagation()) as session:
        for store in stores:
            if store.is_told:
                session.execute(_CURSOR, {"store": store.id, "now": now})


def _store_values(store: Store, now: datetime) -> dict[str, object]:
    return {
        "id": store.id,
        "name": store.name,
        "kind": store.kind.value,
        "holds": store.holds.value,
        "basis": store.basis.value,
        "effort": store.effort,
        "deadline": int(store.deadline / timedelta(seconds=1)),
        "contact": store.contact,
        "now": now,
    }


def run_feed(
    database: Database,
    ring: KeyRing,
    stores: Sequence[Store],
    http: OutboundClient,
    stop_event: threading.Event,
    *,
    pace: Pace | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> None:
    """Work until `stop_event` is set, then return within a few seconds (a delivery under way is finished).

    `database` is the worker's login. Any number of processes may run this: locks let one sequencer and one sender
    per store work. A database that goes away is waited for.
    """
    _until_it_works(lambda: note_stores(database, stores, clock()), stop_event)
    leases, sealer, fresh = Leases(database), Sealer(database, ring), _Wake()
    ahead = ReadAhead(database, ring, clock)
    nightly = Nightly(database, stores, lambda store: adapter_for(store, http, clock, ring), clock, stop_event)
    comparing = _comparing(_only_one(leases, "reconcile", nightly.look, clock), stop_event)
    sequencer = _Sequencing(database, clock, fresh)
    loops: list[tuple[str, Callable[[], bool], Rest]] = [
        ("sequencer", sequencer.work, sequencer.rest),
        ("sealer", lambda: sealer.seal_once(clock()) is None, SEAL_EVERY),
        ("dates", _only_one(leases, "dates", Calendar(database).look, clock), DATES_EVERY),
        ("owed", _only_one(leases, "owed", partial(Owed(database).look, stores), clock), COUNT_EVERY),
        ("heartbeat", lambda: _beat(database, clock), BEAT_EVERY),
    ]
    threads = [threading.Thread(target=_loop, args=(*loop, stop_event, None), name=loop[0]) for loop in loops]
    for store in stores:
        if store.is_told:
            adapter = adapter_for(store, http, clock, ring)
            sender = Sender(database, ring, adapter, clock, pace or Pace(), head=sealer.header, ahead=ahead)
            threads += _threads_of(database, sender, leases, stop_event, fresh)
    for thread in (comparing, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    ahead.close()
    leases.close()


def _threads_of(
    database: Database, sender: Sender, leases: Leases, stop: threading.Event, fresh: _Wake
) -> list[threading.Thread]:
    """One that sends to a store, and one for its way back where it has one."""
    store, adapter = sender.store, sender.adapter
    arguments = (store.id, _sending(sender, leases), LOOK_EVERY, stop, fresh.listener())
    threads = [threading.Thread(target=_loop, args=arguments, name=f"sender-{store.id}")]
    if isinstance(adapter, TakesReceipts):
        back = partial(_no_receipts, database, store, adapter)
        threads.append(threading.Thread(target=_loop, args=(store.id, back, LOOK_EVERY, stop, None)))
    return threads


def _comparing(work: Callable[[], bool], stop: threading.Event) -> threading.Thread:
    """Not waited for at the end: a comparison that is cut off has changed nothing, and is made again."""
    arguments = ("reconcile", work, RECONCILE_EVERY, stop, None)
    return threading.Thread(target=_loop, args=arguments, name="reconcile", daemon=True)


class _Wake:
    """Lets the sequencer wake the senders of its own process; the others look every second."""

    def __init__(self) -> None:
        self._listeners: list[threading.Event] = []

    def listener(self) -> threading.Event:
        event = threading.Event()
        self._listeners.append(event)
        return event

    def all(self) -> None:
        for event in self._listeners:
            event.set()


class _Sequencing:
    """Looks for decisions often while there are some, and seldom when nobody decides."""

    def __init__(self, database: Database, clock: Callable[[], datetime], fresh: _Wake) -> None:
        self._database, self._clock, self._fresh = database, clock, fresh
        self._moved_at = float("-inf")

    def work(self) -> bool:
        moved = sequence_once(self._database, self._clock())
        if moved:
            self._moved_at = time.monotonic()
            self._fresh.all()
        return moved < AT_ONCE

    def rest(self) -> float:
        return SEQUENCE_SOON if time.monotonic() - self._moved_at < BUSY_SECONDS else SEQUENCE_EVERY


def _sending(sender: Sender, leases: Leases) -> Callable[[], bool]:
    def work() -> bool:
        if not leases.hold(sender.store.id):
            return True
        return sender.step(onward=True) in (Step.IDLE, Step.WAITING, Step.FAILED, Step.PAUSED)

    return work


def _only_one(
    leases: Leases, name: str, look: Callable[[datetime], object], clock: Callable[[], datetime]
) -> Callable[[], bool]:
    """What one process among all does now and then."""

    def work() -> bool:
        if leases.hold(f"feed:{name}"):
            look(clock())
        return True

    return work


def _no_receipts(database: Database, store: Store, adapter: TakesReceipts) -> bool:
    return take_stream_receipts(database, store, adapter) == 0


def _beat(database: Database, clock: Callable[[], datetime]) -> bool:
    with database.begin(as_propagation()) as session:
        beat(session, "feed", clock())
    return True


def _loop(name: str, work: Callable[[], bool], rest: Rest, stop: threading.Event, wake: threading.Event | None) -> None:
    """Call `work` again and again; when it says that it rests (True), wait. An error is logged, never the end."""
    while not stop.is_set():
        try:
            rests = work()
        except Unavailable:
            log.warning("feed.database-unavailable", loop=name)
            rests = True
        except Exception as error:  # noqa: BLE001 - a sender that dies silently would lose every later decision
            log.error("feed.loop-failed", loop=name, error=type(error).__name__)  # noqa: TRY400 - a trace names people
            rests = True
        if rests:
            _rest(rest() if callable(rest) else rest, stop, wake)


def _rest(seconds: float, stop: threading.Event, wake: threading.Event | None) -> None:
    """Wait, but wake at once for new positions, and within a quarter second to stop."""
    left = seconds
    while left > 0 and not stop.is_set():
        part = min(0.25, left)
        if wake is not None and wake.wait(part):
            wake.clear()
            return
        if wake is None:
            stop.wait(part)
        left -= part


def _until_it_works(work: Callable[[], None], stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            work()
            return
        except Unavailable:
            log.warning("feed.database-unavailable", loop="start")
            stop.wait(1)
