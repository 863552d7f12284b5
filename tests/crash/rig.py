"""The ledger and real sandbox stores in one process, with the log that people would write: for planted faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import requests
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError

from consent.asked import Asked
from consent.decision import Answer, Subject
from consent.feed.pace import Pace
from consent.feed.run import adapter_for, note_stores
from consent.feed.sender import Sender, Step
from consent.late_receipts import accept_late_receipts
from consent.record_decision import Recorded, record_decision
from consent.sequencer import sequence_once
from consent.store_config import Store
from database.unit_of_work import sqlalchemy_url
from outbound.breaker import Breaker
from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination
from sandbox.store.config import StoreConfig
from sandbox.store.server import RunningStore, start
from sandbox.store.signature import signed_headers
from tests.crash.evidence import Answered, Evidence, Form, Name, StoreSeen, Told, seen
from tests.parts.consent.people import RIVERSIDE, asked
from tests.pure.consent.stores import CANCERLINQ_STORE, DISCOVERY, LIVING_WELL_STORE, SECRET
from tests.support.postgres import TestDatabase
from vocabulary.errors import PortalError

ROLES: dict[Store, dict[str, Any]] = {
    CANCERLINQ_STORE: {"role": "holder"},
    DISCOVERY: {"role": "discovery"},
    LIVING_WELL_STORE: {"role": "effort", "effort": "living-well", "hospitals": ()},
}


def clock() -> datetime:
    return datetime.now(UTC)


@dataclass
class Rig:
    """The ledger, three sandbox stores over HTTP, and what the people were told. `batch`: how many positions a store is
    told at once; `onward`: senders keep receipts and the next batch in one transaction, as the feed's do; `failed`
    hears of each error; `tries_parked`: how often an item had been told when it was parked."""

    database: TestDatabase
    superuser: Engine
    stores: dict[str, Store]
    running: dict[str, RunningStore]
    http: OutboundClient
    people: dict[Name, Told] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    batch: int = 50
    onward: bool = False
    failed: Callable[[str], object] = lambda error: None
    tries_parked: int = 0

    def sql(self, statement: str) -> list[Any]:
        with self.superuser.connect() as connection:
            result = connection.exec_driver_sql(statement)
            return list(result) if result.returns_rows else []

    def until(self, work: Callable[[], Any]) -> Any:
        """Do it again until it works, as a person or a loop does; what went wrong is counted."""
        for _ in range(8):
            try:
                return work()
            except (PortalError, DBAPIError) as error:
                self.errors.append(_cause(error))
                self.failed(self.errors[-1])
        raise AssertionError(f"never worked: {self.errors}")

    def press(self, who: UUID, name: str, subject: Subject, answer: Answer) -> None:
        """One form, sent until acknowledged, and once more; both answers go to the log."""
        form = asked(who, subject, answer, idempotency_key=uuid4().hex)
        told = self.people.setdefault((RIVERSIDE, name), Told((RIVERSIDE, name)))
        about = subject.effort or subject.choice.value
        told.forms[form.idempotency_key] = Form(form.idempotency_key, about, answer.value)
        first, again = self.until(lambda: self._record(form)), self.until(lambda: self._record(form))
        made = first.governing
        assert made is not None
        told.answered.append(Answered(form.idempotency_key, str(made.id), made.version, about, made.answer.value))
        told.again.append((form.idempotency_key, str(again.governing.id)))

    def _record(self, form: Asked) -> Recorded:
        return record_decision(self.database.web, self.database.keyring, form, clock())

    def drain(self, lying: str = "") -> None:
        """Sequencer and senders until every store is told of all; new senders each time, as after a restart. The store
        `lying` says an error in a 200 to each message with events until one of them is parked and was tried again."""
        self.tries_parked = 0
        while self.until(lambda: sequence_once(self.database.worker, clock())):
            pass
        for store in self.stores.values():
            adapter = adapter_for(store, self.http, clock)
            pace = Pace(first_seconds=0, longest_seconds=0, split_after=2, batch=self.batch)
            sender = Sender(self.database.worker, self.database.keyring, adapter, clock, pace, chance=lambda: 0.0)
            for _ in range(30):
                step = self.until(partial(self._step, sender, lying == store.id))
                if step is Step.IDLE and not self._tries(store.id):
                    break
            else:
                raise AssertionError(f"{store.id} not drained")

    def _step(self, sender: Sender, lying: bool) -> Step:
        if lying:
            tries = self._tries(sender.store.id)
            self.tries_parked = self.tries_parked or tries
            self.misbehave(sender.store.id, "lie" if tries == self.tries_parked else "none", times=1)
        return sender.step(onward=self.onward)

    def _tries(self, store: str) -> int:
        """How often the store was told of what is parked there; 0 when nothing is."""
        items = f"SELECT coalesce(max(attempts), 0) FROM parked_item WHERE resolved_at IS NULL AND store_id = '{store}'"
        return int(self.sql(items)[0][0])

    def misbehave(self, store: str, kind: str, **values: Any) -> None:
        requests.post(f"{self.running[store].url}/sandbox/faults", json={"kind": kind, **values}, timeout=10)

    def late_receipts(self) -> None:
        """Discovery says of all that it had only accepted that it is now applied."""
        owed = self.running["discovery"].memory.rows("SELECT * FROM owed ORDER BY event")
        if not owed:
            return
        receipts = [{**orjson.loads(row["receipt"]), "state": "applied"} for row in owed]
        body = orjson.dumps({"store": "discovery", "receipts": receipts})
        headers = signed_headers((SECRET,), f"late-{uuid4()}", body)
        stores = tuple(self.stores.values())
        self.until(lambda: accept_late_receipts(self.database.web, stores, "discovery", headers, body, clock()))
        self.running["discovery"].memory.run("DELETE FROM owed")

    def evidence(self) -> Evidence:
        """What the checker may see: what people were told, and the stores over HTTP."""
        return Evidence(self.people, tuple(self._see(name) for name in self.stores))

    def _see(self, store: str) -> StoreSeen:
        url, subject = self.running[store].url, self.stores[store].effort or "cancerlinq"
        names = {"subjects": [{"system": system, "value": value} for system, value in self.people]}
        contents = requests.get(f"{url}/contents", timeout=10).json()
        return seen(store, subject, contents, requests.post(f"{url}/sandbox/lookup", json=names, timeout=10).json())


def _cause(error: BaseException) -> str:
    """The first line of what came first."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).partition("\n")[0]


@contextmanager
def rig_of(database: TestDatabase, folder: Path) -> Iterator[Rig]:
    """Three stores over HTTP, each with its own state in `folder`."""
    running = {
        store.id: start(
            StoreConfig(id=store.id, name=store.name, secrets=(SECRET,), state_dir=folder / store.id, **values),
            lambda: [],
        )
        for store, values in ROLES.items()
    }
    stores = {store.id: replace(store, endpoint=running[store.id].endpoint) for store in ROLES}
    allowed = AllowList([destination(store.endpoint, private=True) for store in stores.values()])
    http = OutboundClient(allowed, breaker=Breaker(threshold=1_000_000))
    engine = create_engine(sqlalchemy_url(database.superuser_url), isolation_level="AUTOCOMMIT")
    note_stores(database.worker, list(stores.values()), clock())
    try:
        yield Rig(database, engine, stores, running, http)
    finally:
        http.close()
        engine.dispose()
        for one in running.values():
            one.stop()
