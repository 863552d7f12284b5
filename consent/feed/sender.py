"""One store's sender: read a batch, send it with no transaction open, settle what came back; one step at a time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

import structlog
from sqlalchemy.orm import Session

from consent.feed.batches import MadeBatch, following, next_batch, shrink
from consent.feed.channel import (
    Channel,
    ChannelState,
    mark_of,
    note_error,
    note_greeted,
    note_heard,
    speak,
)
from consent.feed.cursor import Cursor, LostCursor, note_failure, note_recovered, read_cursor
from consent.feed.pace import Pace
from consent.feed.parking import Parked, next_parked, park, resolve, try_later
from consent.feed.pause import PAUSED
from consent.feed.read_ahead import ReadAhead
from consent.feed.settle import settle
from consent.feed.state import ToDo, read_state
from consent.store_config import Store
from consent.stores.adapter import Batch, BatchAnswer, NotDelivered, Prepares, StoreAdapter, batch_of
from database.context import as_propagation
from database.keyring import KeyRing
from database.unit_of_work import Database

log = structlog.get_logger()

NAME_UNREADABLE = "name-unreadable"
FRESH_SECONDS = 1.0
MANY, QUICK_SECONDS, LARGE = 1_000, 1.0, 4_000
"""A store that answers for many events so soon is told of more positions at once, below what any may answer for."""


class Step(StrEnum):
    """What a step came to."""

    IDLE = "idle"
    WAITING = "waiting"
    MOVED = "moved"
    SENT = "sent"
    FAILED = "failed"
    PARKED = "parked"
    PAUSED = "paused"


@dataclass
class _Flow:
    """What a sender goes on with while it is called again at once; to lose it costs a look. `batch`: how many positions
    the store is told at once, more when it is quick; `made`: the next batch, kept by the last one's transaction, and
    when; `alone`: the next batch is to have a transaction of its own, since the last try of both together failed;
    `idle_at`: when that transaction saw that nothing is left to do."""

    batch: int
    made: MadeBatch | None = None
    made_at: float = 0.0
    alone: bool = False
    idle_at: float = float("-inf")

    def is_idle(self) -> bool:
        """Whether nothing was left to do just now; said once."""
        seen_at, self.idle_at = self.idle_at, float("-inf")
        return time.monotonic() - seen_at < FRESH_SECONDS

    def take(self) -> MadeBatch | None:
        made, self.made = self.made, None
        return made if time.monotonic() - self.made_at < FRESH_SECONDS else None

    def note(self, pace: Pace, events: int, seconds: float) -> None:
        if events >= MANY and seconds < QUICK_SECONDS:
            self.batch = max(pace.batch, LARGE)


@dataclass(frozen=True)
class Sender:
    """Everything one store's sender needs. What it keeps in memory may be lost: a new one goes on where the last
    stopped.

    `head` gives the header with the newest signed tree head, "" when there is none yet.
    """

    database: Database
    ring: KeyRing
    adapter: StoreAdapter
    clock: Callable[[], datetime]
    pace: Pace = field(default_factory=Pace)
    chance: Callable[[], float] = random.random
    head: Callable[[], str] = lambda: ""
    ahead: ReadAhead | None = None
    flow: _Flow = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "flow", _Flow(self.pace.batch))

    @property
    def store(self) -> Store:
        return self.adapter.store

    def step(self, *, onward: bool = False) -> Step:
        """Do one thing for this store and say what it was. At most one sender per store should step at a time; were
        there two, one loses its cursor and nothing is told out of order.

        `onward`: the caller steps again at once when something was sent, so the next batch is made with the receipts
        of this one.
        """
        try:
            if self.flow.is_idle() and onward:
                return Step.IDLE
            made = self.flow.take()
            if made is not None:
                return self._send(made, 0, onward)
            self._prepare(None)
            return self._step(onward)
        except LostCursor:
            log.warning("feed.lost-cursor", store=self.store.id)
            return Step.FAILED

    def _step(self, onward: bool) -> Step:
        if self.ahead is not None:
            self.ahead.wait(self.store)
        now = self.clock()
        with self.database.begin(as_propagation()) as session:
            seen = read_state(session, self.store, now)
            if seen.paused:
                if seen.channel.state is not ChannelState.ERROR:  # an answer that was under way when the pause began
                    note_error(session, self.store, PAUSED, now)
                return Step.PAUSED
            parked = next_parked(session, self.ring, self.store, now) if seen.parked else None
            waits = seen.waits(now)
            new = seen.channel.must_be_greeted(mark_of(self.ring, self.store))
            ready = not (waits or new) and parked is None
            made = self._make(session, seen.cursor, now) if ready and seen.behind else None
        cursor = seen.cursor
        if not ready:
            if new and (waits or not self._greet(cursor)):
                return Step.WAITING if waits else Step.FAILED
            if parked is not None:
                self._retry_parked(parked)
            if waits:
                return Step.WAITING
            with self.database.begin(as_propagation()) as session:
                cursor = read_cursor(session, self.store)
                made = self._make(session, cursor, now) if seen.behind else None
        if made is not None:
            return self._send(made, cursor.failures, onward)
        return Step.MOVED if seen.behind else self._idle(seen.cursor, seen.channel)

    def _make(self, session: Session, cursor: Cursor, now: datetime) -> MadeBatch | None:
        """The batch to send now."""
        return next_batch(session, self.ring, self.store, cursor, now, self._pace(), self.ahead)

    def _pace(self) -> Pace:
        return replace(self.pace, batch=self.flow.batch)

    def _make_next(self, session: Session, seen: ToDo, now: datetime) -> None:
        """The next batch, in the transaction that keeps the receipts of the last; not when something comes first."""
        if seen.paused or seen.parked:
            return
        if seen.behind:
            self.flow.made, self.flow.made_at = self._make(session, seen.cursor, now), time.monotonic()
        else:
            self.flow.idle_at = time.monotonic()

    def _greet(self, cursor: Cursor) -> bool:
        """The handshake that comes before the first event, and after the endpoint or a secret changed (SUB-02)."""
        answered = speak(self.adapter, "handshake", cursor.event_number)
        now = self.clock()
        with self.database.begin(as_propagation()) as session:
            if answered:
                note_greeted(session, self.store, mark_of(self.ring, self.store), now)
                note_recovered(session, self.store, now)
            else:
                next_try = now + self.pace.wait(cursor.failures + 1, self.chance())
                note_failure(session, self.store, cursor.failures + 1, "handshake-failed", next_try, now)
                note_error(session, self.store, "handshake-failed", now)
        if answered:
            log.info("feed.greeted", store=self.store.id)
        else:
            log.warning("feed.handshake-failed", store=self.store.id)
        return answered

    def _idle(self, cursor: Cursor, channel: Channel) -> Step:
        """Nothing to tell; a store that has heard nothing for its period is sent a heartbeat (SUB-06)."""
        if not channel.is_silent(self.clock(), self.store.heartbeat):
            return Step.IDLE
        answered = speak(self.adapter, "heartbeat", cursor.event_number)
        now = self.clock()
        with self.database.begin(as_propagation()) as session:
            if answered:
                note_heard(session, self.store, now)
                note_recovered(session, self.store, now)
                return Step.IDLE
            next_try = now + self.pace.wait(cursor.failures + 1, self.chance())
            note_failure(session, self.store, cursor.failures + 1, "heartbeat-failed", next_try, now)
            note_error(session, self.store, "heartbeat-failed", now)
        log.warning("feed.heartbeat-failed", store=self.store.id)
        return Step.FAILED

    def _send(self, made: MadeBatch, failures: int, onward: bool) -> Step:
        if not made.is_readable:
            return self._park(made, 0, NAME_UNREADABLE, self.clock() + self.pace.wait(1, self.chance()))
        batch = batch_of(str(made.id), made.events, self._headers())
        began = time.monotonic()
        try:
            answer = self.adapter.deliver(batch)
        except NotDelivered as error:
            self.flow.batch = self.pace.batch
            return self._failed(made, failures + 1, error)
        self.flow.note(self.pace, len(made.events), time.monotonic() - began)
        self._settle(made, answer, onward and not self.flow.alone)
        log.info("feed.delivered", store=self.store.id, first=made.first_event, last=made.last_event)
        return Step.SENT

    def _settle(self, made: MadeBatch, answer: BatchAnswer, onward: bool) -> None:
        then: MadeBatch | None = None
        if onward and self.ahead is not None:
            self.ahead.wait(self.store)
            then = following(self.store, made, self._pace(), self.ahead)
            self._prepare(then)
        self.flow.alone = onward
        try:
            with self.database.begin(as_propagation()) as session:
                now = self.clock()
                to_do, is_made = settle(session, self.store, made, answer, now, then)
                if is_made:
                    self.flow.made, self.flow.made_at = then, time.monotonic()
                elif onward:
                    self._prepare(None)
                    self._make_next(session, to_do or read_state(session, self.store, now), now)
        except BaseException:
            self.flow.made, self.flow.idle_at = None, float("-inf")
            self._prepare(None)
            raise
        self.flow.alone = False

    def _prepare(self, then: MadeBatch | None) -> None:
        """Have the store begin with this batch where it can, or take back what it began with: it is not delivered
        before the transaction has ended that makes it."""
        if isinstance(self.adapter, Prepares):
            if then is not None:
                self.adapter.prepare(batch_of(str(then.id), then.events, self._headers()))
            else:
                self.adapter.take_back()

    def _failed(self, made: MadeBatch, failures: int, error: NotDelivered) -> Step:
        now = self.clock()
        next_try = now + self.pace.wait(failures, self.chance(), error.retry_after_seconds)
        log.warning("feed.not-delivered", store=self.store.id, reason=error.reason, failures=failures)
        to_blame = failures >= self.pace.split_after and error.answered
        with self.database.begin(as_propagation()) as session:
            note_failure(session, self.store, failures, error.reason, next_try, now)
            if failures >= self.pace.split_after:
                note_error(session, self.store, error.reason, now)
            if not to_blame or shrink(session, made):
                return Step.FAILED
        if not speak(self.adapter, "heartbeat", made.first_event - 1):
            return Step.FAILED  # the store refuses everything: it is the trouble, not this decision
        return self._park(made, failures, error.reason, next_try)

    def _park(self, made: MadeBatch, failures: int, reason: str, next_try: datetime) -> Step:
        with self.database.begin(as_propagation()) as session:
            park(session, self.store, made, reason, failures, next_try, self.clock())
            if reason != NAME_UNREADABLE:
                note_heard(session, self.store, self.clock())  # it is well: this one decision is the trouble
        log.error("feed.parked", store=self.store.id, first=made.first_event, reason=reason)
        return Step.PARKED

    def _retry_parked(self, parked: Parked) -> None:
        if not parked.is_readable:
            with self.database.begin(as_propagation()) as session:
                try_later(session, parked, NAME_UNREADABLE, self.clock() + self.pace.wait(parked.attempts + 1, 0.0))
            log.error("feed.name-unreadable", store=self.store.id, first=parked.events[0].number)
            return
        try:
            answer = self.adapter.deliver(Batch(parked.message_id, parked.events, self._headers()))
        except NotDelivered as error:
            wait = self.pace.wait(parked.attempts + 1, self.chance(), error.retry_after_seconds)
            with self.database.begin(as_propagation()) as session:
                try_later(session, parked, error.reason, self.clock() + wait)
            return
        with self.database.begin(as_propagation()) as session:
            resolve(session, self.store, parked, answer, self.clock())
        log.info("feed.parked-item-taken", store=self.store.id, first=parked.events[0].number)

    def _headers(self) -> dict[str, str]:
        head = self.head()
        return {"portal-tree-head": head} if head else {}
