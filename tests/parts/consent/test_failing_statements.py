"""Every write of a decision's way fails once, at the statement or at the commit: nothing is lost and nothing doubled.

A trigger stands on every table. A sequence counts the rows written (a rollback does not set a sequence back), and
the k-th one raises. The system then does what it does by itself: the person sends the same form again, loops go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
import requests
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError

from consent.asked import Asked
from consent.decision import CANCERLINQ, Answer, Subject, donation_to
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
from tests.crash.rules import check
from tests.parts.consent.people import RIVERSIDE, asked, person
from tests.pure.consent.stores import CANCERLINQ_STORE, DISCOVERY, LIVING_WELL_STORE, SECRET
from tests.support.postgres import TestDatabase
from vocabulary.errors import PortalError

SETUP = """
CREATE SEQUENCE broken_at;
CREATE TABLE broken (k bigint, mode text, state text);
CREATE TABLE seen_writes (k bigint, name text, op text, transaction xid8);
INSERT INTO broken VALUES (0, 'statement', 'P0001');
CREATE FUNCTION maybe_break() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $f$
DECLARE n bigint; b broken;
BEGIN
  SELECT * INTO b FROM broken;
  IF TG_ARGV[0] = b.mode THEN
    n := nextval('broken_at');
    INSERT INTO seen_writes VALUES (n, TG_TABLE_NAME, TG_OP, pg_current_xact_id());
    IF n = b.k THEN RAISE EXCEPTION 'broken on purpose' USING ERRCODE = b.state; END IF;
  END IF;
  RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $f$;
"""
TABLES = (
    "decision", "audit_event", "unsequenced", "position", "store_batch", "receipt", "store_cursor", "parked_item",
    "staff_task", "store_subject",
)  # fmt: skip
MUST_BREAK = {
    ("decision", "INSERT"), ("audit_event", "INSERT"), ("unsequenced", "INSERT"), ("unsequenced", "DELETE"),
    ("position", "INSERT"), ("store_batch", "INSERT"), ("store_batch", "UPDATE"), ("receipt", "INSERT"),
    ("store_cursor", "UPDATE"), ("parked_item", "INSERT"), ("parked_item", "UPDATE"), ("staff_task", "INSERT"),
    ("store_subject", "INSERT"),
}  # fmt: skip
LIVING_WELL = donation_to("living-well")


def clock() -> datetime:
    return datetime.now(UTC)


@dataclass
class Rig:
    """The ledger, three sandbox stores over HTTP, and what the people were told."""

    database: TestDatabase
    superuser: Engine
    stores: dict[str, Store]
    running: dict[str, RunningStore]
    http: OutboundClient
    people: dict[Name, Told] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def sql(self, statement: str) -> list[Any]:
        with self.superuser.connect() as connection:
            result = connection.exec_driver_sql(statement)
            return list(result) if result.returns_rows else []

    def until(self, work: Callable[[], Any]) -> Any:
        """Do it again until it works, as a person or a loop does; what went wrong is counted."""
        for _ in range(5):
            try:
                return work()
            except (PortalError, DBAPIError) as error:
                self.errors.append(type(error).__name__)
        raise AssertionError(f"never worked: {self.errors}")

    def press(self, who: UUID, name: str, subject: Subject, answer: Answer) -> None:
        """One form, sent until acknowledged, and once more: the same answer each time (I5)."""
        form = asked(who, subject, answer, idempotency_key=uuid4().hex)
        told = self.people.setdefault((RIVERSIDE, name), Told((RIVERSIDE, name)))
        about = subject.effort or subject.choice.value
        told.forms[form.idempotency_key] = Form(form.idempotency_key, about, answer.value)
        first, again = self.until(lambda: self._record(form)), self.until(lambda: self._record(form))
        assert again.repeated
        assert first.governing.id == again.governing.id
        (made,) = first.decisions
        told.answered.append(Answered(form.idempotency_key, str(made.id), made.version, about, made.answer.value))
        told.again.append((form.idempotency_key, str(again.governing.id)))

    def _record(self, form: Asked) -> Recorded:
        return record_decision(self.database.web, self.database.keyring, form, clock())

    def drain(self) -> None:
        """Sequencer and senders until every store is told of all; new senders each time, as after a restart."""
        while self.until(lambda: sequence_once(self.database.worker, clock())):
            pass
        for store in self.stores.values():
            adapter = adapter_for(store, self.http, clock)
            pace = Pace(first_seconds=0, longest_seconds=0, split_after=2, batch=50)
            sender = Sender(self.database.worker, self.database.keyring, adapter, clock, pace, chance=lambda: 0.0)
            for _ in range(30):
                if self.until(sender.step) is Step.IDLE and not self._parked(store.id):
                    break
            else:
                raise AssertionError(f"{store.id} not drained")

    def _parked(self, store: str) -> int:
        rows = self.sql(f"SELECT 1 FROM parked_item WHERE resolved_at IS NULL AND store_id = '{store}'")
        return len(rows)

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


@pytest.fixture
def rig(database: TestDatabase, tmp_path: Path) -> Iterator[Rig]:
    roles: dict[Store, dict[str, Any]] = {
        CANCERLINQ_STORE: {"role": "holder"},
        DISCOVERY: {"role": "discovery"},
        LIVING_WELL_STORE: {"role": "effort", "effort": "living-well", "hospitals": ()},
    }
    running = {
        store.id: start(
            StoreConfig(id=store.id, name=store.name, secrets=(SECRET,), state_dir=tmp_path / store.id, **values),
            lambda: [],
        )
        for store, values in roles.items()
    }
    stores = {store.id: replace(store, endpoint=running[store.id].endpoint) for store in roles}
    allowed = AllowList([destination(store.endpoint, private=True) for store in stores.values()])
    http = OutboundClient(allowed, breaker=Breaker(threshold=1_000_000))
    engine = create_engine(sqlalchemy_url(database.superuser_url), isolation_level="AUTOCOMMIT")
    made = Rig(database, engine, stores, running, http)
    note_stores(database.worker, list(stores.values()), clock())
    made.sql(SETUP)
    for table in TABLES:
        made.sql(
            f"CREATE TRIGGER break_statement BEFORE INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW"
            " EXECUTE FUNCTION maybe_break('statement');"
            f"CREATE CONSTRAINT TRIGGER break_commit AFTER INSERT OR UPDATE OR DELETE ON {table}"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION maybe_break('commit')"
        )
    yield made
    http.close()
    engine.dispose()
    for one in running.values():
        one.stop()


def live(rig: Rig, number: int) -> None:
    """One life of two people: out, in again with an item that is parked at first, a donation and its end."""
    rosa, ben = f"{number}-rosa", f"{number}-ben"
    first, second = (person(rig.database, name) for name in (rosa, ben))
    rig.press(first, f"MRN-{rosa}", CANCERLINQ, Answer.NO)
    rig.press(second, f"MRN-{ben}", LIVING_WELL, Answer.YES)
    rig.drain()
    rig.misbehave("cancerlinq", "lie", times=2)
    rig.press(first, f"MRN-{rosa}", CANCERLINQ, Answer.YES)
    rig.drain()
    rig.press(second, f"MRN-{ben}", LIVING_WELL, Answer.NO)
    rig.press(second, f"MRN-{ben}", CANCERLINQ, Answer.NO)
    rig.drain()
    rig.late_receipts()
    rig.misbehave("cancerlinq", "none")


def history_is_intact(rig: Rig) -> None:
    """One audit line and one place for each decision; versions and places without holes; no store behind."""
    counts = [rig.sql(f"SELECT count(*) FROM {name}")[0][0] for name in ("decision", "position", "unsequenced")]
    assert counts == [counts[0], counts[0], 0]
    assert rig.sql("SELECT count(*) FROM audit_event WHERE event = 'decision.recorded'")[0][0] == counts[0]
    assert rig.sql("SELECT max(position) + 1 FROM position")[0][0] == counts[0]
    assert rig.sql("SELECT 1 FROM decision GROUP BY person_id HAVING max(version) <> count(*)") == []
    assert {row[0] for row in rig.sql("SELECT position FROM store_cursor")} == {counts[0]}
    assert rig.sql("SELECT 1 FROM store_batch WHERE answered_at IS NULL") == []
    unsaid = (
        "SELECT b.id FROM store_batch b LEFT JOIN receipt r ON r.batch_id = b.id"
        " WHERE b.store_id <> 'cancerlinq' GROUP BY b.id HAVING count(*) FILTER (WHERE r.event_number IS NULL) <> 1"
    )
    assert rig.sql(unsaid) == [], "each batch has exactly one receipt for the whole of it"


@pytest.mark.parametrize(("mode", "state"), [("statement", "P0001"), ("commit", "40001")])
def test_every_write_fails_once(rig: Rig, mode: str, state: str) -> None:
    """I1 to I5, threats 5 (k-th statement): for every k the k-th row written fails; nothing is lost or doubled."""
    rig.sql(f"UPDATE broken SET mode = '{mode}', state = '{state}'")
    live(rig, 0)
    rows = rig.sql("SELECT k, name, op, transaction FROM seen_writes ORDER BY k")
    assert {(row.name, row.op) for row in rows} >= MUST_BREAK
    # Which row makes a commit fail does not matter: the first of each transaction does it.
    first = {row.transaction: row for row in reversed(rows)}
    chosen = rows if mode == "statement" else sorted(first.values(), key=lambda row: row.k)
    assert rig.errors == []
    for number, row in enumerate(chosen, start=1):
        rig.errors.clear()
        rig.sql(f"UPDATE broken SET k = {row.k}; TRUNCATE seen_writes; ALTER SEQUENCE broken_at RESTART")
        live(rig, number)
        assert len(rig.errors) == 1, f"write {row.k} ({row.name} {row.op}): {rig.errors}"
    rig.sql("UPDATE broken SET k = 0")
    verdict = check(rig.evidence())
    assert verdict.violations == []
    assert verdict.of["lost"] >= 6 * len(chosen)
    history_is_intact(rig)
