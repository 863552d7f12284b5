"""A small ledger with everything in it: many kinds of decisions, heads in between, complete tiles."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from consent.decision import CANCERLINQ, Answer, Decision, Means, SensitiveClass, donation_to
from consent.published_heads import PublishedHead
from consent.record_decision import insert_decisions
from consent.seal import Sealer, read_heads
from consent.sequencer import sequence_once
from database.context import Context, as_nobody, as_persons
from database.unit_of_work import sqlalchemy_url
from tests.pure.consent.decisions import T0, decided
from tests.support.postgres import TestDatabase
from vocabulary.actor import ActorKind

_PEOPLE = text("INSERT INTO person (id, created_at) SELECT unnest(CAST(:ids AS uuid[])), :at")


def grow_ledger(database: TestDatabase, count: int, seed: int, *, people: int = 90, at_once: int = 12) -> None:
    """`count` decisions of `people`, sequenced and sealed in small batches: a head every few positions."""
    chance = random.Random(seed)
    ids = [UUID(int=chance.getrandbits(128), version=4) for _ in range(people)]
    with database.maintenance.begin(as_nobody()) as session:
        session.execute(_PEOPLE, {"ids": ids, "at": T0})
    sealer, done, versions = Sealer(database.worker, database.keyring), 0, dict.fromkeys(ids, 0)
    while done < count:
        made = []
        for _ in range(min(chance.randint(1, at_once), count - done)):
            person = chance.choice(ids)
            versions[person] += 1
            made.append(some_decision(chance, person, versions[person]))
        with database.web.begin(as_persons(*ids)) as session:
            insert_decisions(session, made, "decision.recorded")
        done += sequence_once(database.worker, T0 + timedelta(minutes=done))
        sealer.seal_once(T0 + timedelta(minutes=done))


def some_decision(chance: random.Random, person: UUID, version: int) -> Decision:
    """A decision with odd values in every field."""
    gives = chance.random() < 0.5
    subject = donation_to(chance.choice(["living-well", "early-signs"])) if gives else CANCERLINQ
    answer = chance.choice([Answer.YES, Answer.NO])
    kind = ActorKind.CARE_TEAM if answer is Answer.NO and chance.random() < 0.2 else ActorKind.PATIENT
    decision = decided(version, subject, answer, person, kind)
    asked = T0 + timedelta(microseconds=chance.randrange(10**12))
    return replace(
        decision,
        id=UUID(int=chance.getrandbits(128), version=4),
        salt=chance.randbytes(32),
        means=chance.choice(list(Means)),
        language=chance.choice(["en", "es"]),
        sensitive=frozenset(chance.sample(list(SensitiveClass), 2)) if gives else frozenset(),
        asked_at=asked,
        recorded_at=asked + timedelta(seconds=1),
        expires_at=asked + timedelta(days=400) if gives else None,
        reason=chance.choice([None, "por teléfono", 'said "no"\n']),
        practice=chance.choice([None, "riverside-main"]),
        evidence_sealed=chance.randbytes(40) if gives else None,
        idempotency_key=f"form-{chance.getrandbits(64)}",
    )


def published_heads(database: TestDatabase) -> list[PublishedHead]:
    """What a witness outside would have kept: every head so far."""
    with database.web.begin(as_nobody()) as session:
        heads = read_heads(session, most=100_000)
    return [PublishedHead(head.size, head.root, True) for head in reversed(heads)]


class OneTransaction:
    """Stands for the maintenance login's `Database` inside a superuser's transaction, so that what was tampered with
    is seen and never kept."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @contextmanager
    def begin(self, _context: Context) -> Iterator[Session]:
        yield self.session


@contextmanager
def superuser(database: TestDatabase) -> Iterator[Session]:
    """A superuser's session with every trigger and foreign key off; rolled back at the end."""
    engine = create_engine(sqlalchemy_url(database.superuser_url))
    with Session(engine) as session:
        session.execute(text("SET session_replication_role = replica"))
        yield session
        session.rollback()
    engine.dispose()
