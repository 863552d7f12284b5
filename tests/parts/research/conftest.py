"""A donor with a record from a sandbox hospital, and research efforts' stores that really listen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
import requests
from sqlalchemy import text

from consent.decision import Answer, donation_to
from consent.feed.run import adapter_for, note_stores
from consent.feed.sender import Sender, Step
from consent.record_decision import Recorded, record_decision
from consent.sequencer import sequence_once
from consent.store_config import Store
from database.context import as_persons
from fhir_bridge.keep_record import Keeper
from fhir_bridge.person_ciphers import cipher_for_new_content
from fhir_bridge.retrieve.page import Received
from fhir_bridge.tables import Account, Connection, Retrieval
from outbound.breaker import Breaker
from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination
from research.deliver import Courier, deliver_to
from sandbox.people.population import population
from sandbox.store.config import StoreConfig
from sandbox.store.server import RunningStore, start
from tests.parts.consent.people import asked, person
from tests.parts.consent.receiver import Clock
from tests.pure.consent.stores import EARLY_SIGNS_STORE, LIVING_WELL_STORE
from tests.support.postgres import TestDatabase

BY_MRN = {each.mrn: each for each in population()}
MARIA, DENISE = "RV-104233", "RV-107455"


@dataclass
class World:
    """One database, one clock that moves when told to, the efforts' stores by id."""

    database: TestDatabase
    folder: Path
    clock: Clock = field(default_factory=Clock)
    running: dict[str, RunningStore] = field(default_factory=dict)
    stores: dict[str, Store] = field(default_factory=dict)

    def open_store(self, template: Store, port: int = 0) -> Store:
        config = StoreConfig(
            id=template.id, name=template.name, role="effort", secrets=template.secrets,
            state_dir=self.folder / template.id, holds=template.holds.value, effort=template.effort, hospitals=(),
            port=port,
        )  # fmt: skip
        running = start(config, lambda: [])
        self.running[template.id] = running
        self.stores[template.id] = replace(template, endpoint=running.endpoint)
        note_stores(self.database.worker, [self.stores[template.id]], self.clock())
        self.tell(template.id)  # greets it: a store that was never greeted gets nothing (SUB-10)
        return self.stores[template.id]

    def stop_store(self, store_id: str) -> int:
        """Stop it and return the port it had."""
        running = self.running.pop(store_id)
        running.stop()
        return int(running.url.rsplit(":", 1)[1])

    def donor(self, number: int, mrn: str = MARIA) -> UUID:
        who = person(self.database, number)
        self.bring_record(who, few(BY_MRN[mrn].resources()))
        return who

    def bring_record(self, who: UUID, resources: list[dict[str, Any]], provider: str = "riverside") -> None:
        """A finished retrieval of these resources, as the keeper writes it."""
        account, connection, retrieval, now = uuid4(), uuid4(), uuid4(), self.clock()
        with self.database.web.begin(as_persons(who, account=account)) as session:
            cipher = cipher_for_new_content(session, self.database.keyring, who, now)
            session.add(
                Account(
                    id=account, issuer="https://h", subject_index=account.bytes * 2, kind="patient", created_at=now,
                    signed_in_at=now,
                )
            )  # fmt: skip
            session.flush()
            session.add(
                Connection(
                    id=connection, account_id=account, person_id=who, provider_id=provider, patient_index=account.bytes,
                    patient_sealed=b"", relation="self", state="active", scope="", created_at=now, ended_at=None,
                )
            )  # fmt: skip
            session.flush()
            session.add(
                Retrieval(
                    id=retrieval, person_id=who, connection_id=connection, provider_id=provider, state="running",
                    started_at=now, finished_at=None,
                )
            )  # fmt: skip
            session.flush()
            keeper = Keeper(self.database.keyring, cipher, retrieval, provider)
            received = [Received(one["resourceType"], one["id"], one, orjson.dumps(one)) for one in resources]
            keeper.keep_page(session, received, now)
            keeper.finish(session, "finished", now)

    def press(self, who: UUID, *more: Any, **also: Any) -> Recorded:
        made = record_decision(self.database.web, self.database.keyring, asked(who, *more, **also), self.clock())
        sequence_once(self.database.worker, self.clock())
        return made

    def give(self, who: UUID, effort: str = "living-well", **also: Any) -> Recorded:
        return self.press(who, donation_to(effort), Answer.YES, **also)

    def take_back(self, who: UUID, effort: str = "living-well") -> Recorded:
        return self.press(who, donation_to(effort), Answer.NO)

    def http(self) -> OutboundClient:
        allowed = AllowList([destination(store.endpoint, private=True) for store in self.stores.values()])
        return OutboundClient(allowed, breaker=Breaker(threshold=1_000_000))

    def courier(self, **more: Any) -> Courier:
        return Courier(self.database.worker, self.database.keyring, self.http(), self.clock, chance=lambda: 0.0, **more)

    def deliver(self, store_id: str = "living-well", **more: Any) -> int:
        return deliver_to(self.courier(**more), self.stores[store_id])

    def tell(self, store_id: str) -> None:
        """Let the feed of decisions tell the store all it has to."""
        adapter = adapter_for(self.stores[store_id], self.http(), self.clock)
        sender = Sender(self.database.worker, self.database.keyring, adapter, self.clock)
        while sender.step() not in (Step.IDLE, Step.WAITING, Step.FAILED):
            pass

    def sequence_and_tell(self, store_id: str) -> None:
        """What the clock added, told."""
        sequence_once(self.database.worker, self.clock())
        self.tell(store_id)

    def held(self, store_id: str = "living-well") -> list[dict[str, Any]]:
        """Every entry the store holds, as received."""
        rows = self.running[store_id].memory.rows("SELECT body FROM entry ORDER BY code, source, number")
        return [orjson.loads(row["body"]) for row in rows]

    def subjects(self, store_id: str = "living-well") -> set[str]:
        return {row["value"] for row in self.running[store_id].memory.rows("SELECT value FROM person")}

    def misbehave(self, kind: str, store_id: str = "living-well", **more: Any) -> None:
        url = f"{self.running[store_id].url}/sandbox/faults"
        assert requests.post(url, json={"kind": kind, **more}, timeout=5).status_code == 200

    def behave(self, store_id: str = "living-well") -> None:
        self.misbehave("none", store_id)

    def rows(self, who: UUID, columns: str = "state") -> list[Any]:
        """The deliveries of a person, without the marks, oldest first."""
        with self.database.web.begin(as_persons(who)) as session:
            return list(
                session.execute(
                    text(f"SELECT {columns} FROM delivery_to_effort WHERE manifest NOT LIKE 'mark:%' ORDER BY made_at")
                )
            )


def few(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A shorter chart: everything but most of the laboratory, and all that is labelled sensitive."""
    count: Counter[str] = Counter()
    kept = []
    for one in resources:
        count[one["resourceType"]] += 1
        if count[one["resourceType"]] <= 12 or "security" in one.get("meta", {}):
            kept.append(one)
    return kept


@pytest.fixture
def world(database: TestDatabase, tmp_path: Path) -> Iterator[World]:
    made = World(database, tmp_path)
    yield made
    for running in made.running.values():
        running.stop()


@pytest.fixture
def living_well(world: World) -> Store:
    return world.open_store(LIVING_WELL_STORE)


@pytest.fixture
def early_signs(world: World) -> Store:
    return world.open_store(EARLY_SIGNS_STORE)
