"""Bring a record in: one retrieval of one connection, from fresh tokens to the cancer summary.

A worker runs it; killed half-way it is run again, goes on from there and adds nothing twice. Each type has its own
state from the first moment on, so that the page can fill while data arrives (FHIR-10).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import structlog
from sqlalchemy import update
from sqlalchemy.orm import Session

from database.context import as_persons
from database.keyring import KeyRing
from database.person_encryption import PersonCipher
from database.unit_of_work import Database
from fhir_bridge import connections
from fhir_bridge.cancer_story import keep_summary, opened_entries
from fhir_bridge.connections import HeldTokens, OpenConnection
from fhir_bridge.course import FINISHED as FINISHED
from fhir_bridge.course import Course, OfferedMemory, course_of
from fhir_bridge.fewer_collections import fewer_collections
from fhir_bridge.keep_outcomes import keep_outcomes
from fhir_bridge.keep_record import Keeper, Sealed
from fhir_bridge.person_ciphers import cipher_of
from fhir_bridge.providers import Provider
from fhir_bridge.retrieve.asking import Clock
from fhir_bridge.retrieve.chain import Mark
from fhir_bridge.retrieve.files import FetchedFile
from fhir_bridge.retrieve.plan import Plan, plan_for
from fhir_bridge.retrieve.run import Retrieved, Sinks, retrieve_all
from fhir_bridge.retrieve.states import State, TypeOutcome
from fhir_bridge.smart.client import SmartClient
from fhir_bridge.smart.errors import PatientChanged, ReconnectNeeded
from fhir_bridge.smart.scopes import granted
from fhir_bridge.tables import Retrieval
from fhir_bridge.write_behind import WriteBehind
from outbound.client import OutboundClient, OutboundResponse
from vocabulary.errors import PortalError, Unavailable
from vocabulary.resource import Resource

log = structlog.get_logger()

WAITING, RUNNING, NEEDS_RECONNECT, STOPPED = "waiting", "running", "reconnect-needed", "stopped"
OFFERED = OfferedMemory()
FILE_WEIGHT = 200
RENEW_BEFORE = timedelta(seconds=60)
PATIENCE = timedelta(hours=6)


Audit = Callable[[Session, UUID, str, Mapping[str, object]], None]
"""Writes (person, event, detail) into the audit, in the transaction that makes it so."""


def _no_audit(_session: Session, _person: UUID, _event: str, _detail: Mapping[str, object]) -> None:
    return None


@dataclass(frozen=True)
class Parts:
    """What bringing in needs from the process it runs in."""

    database: Database
    ring: KeyRing
    smart: SmartClient
    http: OutboundClient
    now: Callable[[], datetime]
    audit: Audit = _no_audit


def ask_for_record(session: Session, *, person: UUID, connection: UUID, provider_id: str, now: datetime) -> UUID:
    """Note that a record is to be brought in; the job is deferred in the same transaction by the caller."""
    retrieval = uuid4()
    session.add(
        Retrieval(
            id=retrieval,
            person_id=person,
            connection_id=connection,
            provider_id=provider_id,
            state=WAITING,
            started_at=now,
            finished_at=None,
        )
    )
    return retrieval


def bring_in(parts: Parts, provider: Provider, *, person: UUID, retrieval: UUID) -> str:
    """Run a retrieval; returns its final state. What the hospital answers never escapes, it becomes a state; only when
    the token cannot be renewed because the hospital's sign-in is down, Unavailable says so and all stays to be retried.
    """
    with parts.database.begin(as_persons(person)) as session:
        row = session.get(Retrieval, retrieval)
        if row is None or row.state not in (WAITING, RUNNING):
            return "gone" if row is None else row.state
        cipher = cipher_of(session, parts.ring, person)
        connection = connections.open_connection(session, cipher, row.connection_id)
        held = connections.held_tokens(session, cipher, row.connection_id)
        course = course_of(session, Keeper(parts.ring, cipher, retrieval, provider.id), row)
        session.execute(
            update(Retrieval).where(Retrieval.id == retrieval).values(state=RUNNING, whole=not course.since)
        )  # fmt: skip
    return _Run(parts, provider, cipher, connection, course, row.started_at).go(held)


class _Run:
    """One run's shared state: the token that all threads send, and how it is renewed once."""

    def __init__(
        self,
        parts: Parts,
        provider: Provider,
        cipher: PersonCipher,
        connection: OpenConnection,
        course: Course,
        asked_at: datetime,
    ) -> None:
        self.parts, self.provider, self.cipher, self.connection = parts, provider, cipher, connection
        self.asked_at = asked_at
        self.course, self.keeper = course, course.keeper
        self.tokens: HeldTokens | None = None
        self.ended: str | None = None
        self.later: Unavailable | None = None
        self.strangers = 0

    def go(self, held: HeldTokens | None) -> str:
        self.tokens = self._fresh(held)
        plan = plan_for(str(self.connection.binding.patient), granted(self.connection.scope))
        if self.tokens is None:
            return self._without_token(plan)
        retrieved = self._retrieve(plan)
        self._alarm_strangers(retrieved)
        if self.ended or retrieved.token_refused or (self.later and retrieved.token_ended):
            return self._without_token(plan)
        with self.parts.database.begin(as_persons(self.cipher.person)) as session:
            keep_summary(session, self.cipher, self.parts.now())
        return self._finish(FINISHED)

    def _retrieve(self, plan: Plan) -> Retrieved:
        """Fetch; what arrives is sealed in a thread of its own and kept in another, many pages in one transaction: the
        next page is asked for before the last is sealed, and sealed while the database is at work on others (W1)."""
        base = self.provider.fhir_base_url
        behind = WriteBehind(self._made_ready, self._keep)
        sinks = Sinks(
            on_page=lambda _kind, received: behind.put(received, len(received)),
            on_mark=lambda mark: behind.put(mark, 0),
            on_outcome=behind.put,
            on_file=lambda file: behind.put(file, FILE_WEIGHT),
        )
        try:
            before = self.course.before(self.parts.database, OFFERED.of(base, self.parts.now()))
            clock = Clock(now=self.parts.now, sleep=time.sleep, chance=random.random)
            with fewer_collections():
                retrieved = retrieve_all(self._fetch, plan, base, sinks, renew=self._renew, clock=clock, before=before)
        finally:
            behind.close()
        OFFERED.note(base, retrieved.offered, self.parts.now())
        return retrieved

    def _made_ready(self, item: Any) -> Any:
        """What can be done of an item without the database."""
        return self.keeper.sealed(item) if isinstance(item, list) else item

    def _keep(self, items: list[Any]) -> None:
        """Keep what waited, in one transaction: resources first, so that what is said of them is true."""
        now = self.parts.now()
        with self.parts.database.begin_straight(as_persons(self.cipher.person)) as straight:
            self.keeper.keep_sealed(straight, [item for item in items if isinstance(item, Sealed)], now)
            for item in items:
                if isinstance(item, FetchedFile):
                    self.keeper.keep_file(straight, item, now)
            outcomes = [item for item in items if isinstance(item, TypeOutcome)]
            keep_outcomes(self.keeper, straight, outcomes, self.course.said)
            marks = [item for item in items if isinstance(item, Mark)]
            if marks:
                self.keeper.keep_marks(straight, marks)

    def _without_token(self, plan: Plan) -> str:
        """Ask the person to connect again. But a hospital whose sign-in is down has refused nothing: the tokens stay
        and the job comes back, for some hours; after that each part says that it could not be had."""
        if self.ended or self.later is None:
            return self._finish(self.ended or NEEDS_RECONNECT)
        log.info("token-not-renewed", provider=self.provider.id, reason=self.later.reason)
        now = self.parts.now()
        if now - self.asked_at < PATIENCE:
            raise self.later
        kinds = ("Patient", *(one.type for one in plan.types))
        self._keep([TypeOutcome(kind, State.FAILED, 0, 0, 0, (), (), "token-not-renewed", None, now) for kind in kinds])
        return self._finish(FINISHED)

    def _finish(self, state: str) -> str:
        now = self.parts.now()
        with self.parts.database.begin(as_persons(self.cipher.person)) as session:
            self.keeper.finish(session, state, now)
            self._audit(session, state)
            if state in (NEEDS_RECONNECT, STOPPED):
                reason = connections.STOPPED if state == STOPPED else connections.RECONNECT
                connections.drop_tokens(session, self.connection.id, reason, now)
        log.info("retrieval", retrieval=str(self.keeper.retrieval), provider=self.provider.id, state=state)
        return state

    def _fetch(self, url: str, headers: Mapping[str, str]) -> OutboundResponse:
        assert self.tokens is not None
        sent = {**headers, "Authorization": f"Bearer {self.tokens.access}"}
        return self.parts.http.request("GET", url, headers=sent, within=self.provider.fhir_base_url)

    def _fresh(self, held: HeldTokens | None) -> HeldTokens | None:
        """The tokens, renewed when they are about to end."""
        if held and held.expires_at and held.expires_at - self.parts.now() < RENEW_BEFORE and held.refresh:
            return self._refreshed(held.turn)
        return held

    def _renew(self) -> bool:
        before = self.tokens
        renewed = self._refreshed(before.turn) if before else None
        if renewed is None:
            return False
        self.tokens = renewed
        return True

    def _refreshed(self, turn: int) -> HeldTokens | None:
        """Refresh once: under the row's lock, and only if no other worker did it first (SMART-47)."""
        with self.parts.database.begin(as_persons(self.cipher.person)) as session:
            held = connections.held_tokens(session, self.cipher, self.connection.id, lock=True)
            if held is None or held.refresh is None:
                return None
            if held.turn > turn:
                return held
            try:
                fresh = self.parts.smart.refresh(
                    self.provider, self.parts.now(), refresh_token=held.refresh, binding=self.connection.binding
                )
            except PatientChanged:
                self.ended = STOPPED
                log.critical(
                    "patient-changed-at-refresh", connection=str(self.connection.id), provider=self.provider.id
                )
                return None
            except ReconnectNeeded:
                self.ended = NEEDS_RECONNECT
                return None
            except PortalError as error:
                self.later = error if isinstance(error, Unavailable) else None
                return None
            connections.keep_refreshed(session, self.cipher, self.connection.id, fresh, self.parts.now())
            return HeldTokens(fresh.expires_at, held.turn + 1, fresh.access_token, fresh.refresh_token)

    def _alarm_strangers(self, retrieved: Retrieved) -> None:
        """Entries about somebody else (FHIR-17): for the operator now, in the audit when the retrieval ends."""
        self.strangers = len(retrieved.wrong_patient)
        if self.strangers:
            log.error("wrong-patient", provider=self.provider.id, count=self.strangers)

    def _audit(self, session: Session, state: str) -> None:
        person, provider = self.cipher.person, {"provider": self.provider.id}
        self.parts.audit(session, person, "record.brought-in", provider | {"state": state})
        if self.strangers:
            self.parts.audit(session, person, "record.wrong-person", provider | {"count": self.strangers})


def current_resources(session: Session, cipher: PersonCipher, types: tuple[str, ...]) -> Iterator[Resource]:
    """The person's current resources of some types, opened one at a time."""
    for _kind, raw in opened_entries(session, cipher, types):
        resource: Resource = orjson.loads(raw)
        yield resource
