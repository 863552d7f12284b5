"""A world of one ledger and a few stores that can be told to misbehave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from uuid import UUID

import pytest

from consent.asked import Asked
from consent.feed.pace import Pace
from consent.feed.run import adapter_for, note_stores
from consent.feed.sender import Sender, Step
from consent.record_decision import Recorded, record_decision
from consent.sequencer import sequence_once
from consent.store_config import Store
from consent.stores.adapter import StoreAdapter
from outbound.breaker import Breaker
from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination
from tests.parts.consent.people import asked
from tests.parts.consent.receiver import Clock, Receiver
from tests.pure.consent.stores import CANCERLINQ_STORE, SECRET, TEMPUS
from tests.support.postgres import TestDatabase

PACE = Pace(first_seconds=1, longest_seconds=60, split_after=2, batch=50)


@dataclass
class World:
    """The ledger, its stores, and the clock they share."""

    database: TestDatabase
    clock: Clock = field(default_factory=Clock)
    receivers: dict[str, Receiver] = field(default_factory=dict)
    stores: dict[str, Store] = field(default_factory=dict)
    clients: list[OutboundClient] = field(default_factory=list)

    def add(self, template: Store) -> Receiver:
        """Start a receiver for a store made after `template`."""
        receiver = Receiver(template.id, SECRET, self.clock)
        self.receivers[template.id] = receiver
        self.stores[template.id] = replace(template, endpoint=receiver.endpoint)
        note_stores(self.database.worker, [self.stores[template.id]], self.clock())
        return receiver

    def record(self, what: Asked) -> Recorded:
        return record_decision(self.database.web, self.database.keyring, what, self.clock())

    def press(self, who: UUID, *more: object, **also: object) -> Recorded:
        return self.record(asked(who, *more, **also))  # type: ignore[arg-type]  # passed on as they are

    def sequence(self) -> int:
        return sequence_once(self.database.worker, self.clock())

    def http(self) -> OutboundClient:
        allowed = AllowList([destination(store.endpoint, private=True) for store in self.stores.values()])
        self.clients.append(OutboundClient(allowed, breaker=Breaker(threshold=1_000_000)))
        return self.clients[-1]

    def sender(self, store_id: str, adapter: StoreAdapter | None = None) -> Sender:
        """A new sender, as after a restart: nothing is remembered but what the database holds, and `adapter`."""
        adapter = adapter or adapter_for(self.stores[store_id], self.http(), self.clock)
        return Sender(self.database.worker, self.database.keyring, adapter, self.clock, PACE, chance=lambda: 0.0)

    def drain(self, store_id: str, adapter: StoreAdapter | None = None, most: int = 400) -> list[Step]:
        """Sequence and step until the store is told of all; time passes whenever it has to wait."""
        sender, steps = self.sender(store_id, adapter), []
        while self.sequence():
            pass
        for _ in range(most):
            steps.append(sender.step())
            if steps[-1] is Step.IDLE:
                return steps
            if steps[-1] in (Step.FAILED, Step.WAITING):
                self.clock.tick(1)
        raise AssertionError(f"not drained: {steps[-5:]}")


@pytest.fixture
def world(database: TestDatabase) -> Iterator[World]:
    made = World(database)
    yield made
    for client in made.clients:
        client.close()
    for receiver in made.receivers.values():
        receiver.stop()


@pytest.fixture
def platform(world: World) -> Receiver:
    """CancerLinQ, over Backport Bundles."""
    return world.add(CANCERLINQ_STORE)


@pytest.fixture
def curator(world: World) -> Receiver:
    """Tempus, over compact lines."""
    return world.add(TEMPUS)
