"""A warehouse: what its tables hold after deliveries, crashes and mischief."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from consent.backfill.begin import Backfill
from consent.backfill.run import backfill
from consent.certify.as_rows import as_rows
from consent.decision import Answer
from consent.feed.pace import Pace
from consent.feed.run import note_stores
from consent.feed.sender import Step
from consent.receipts import State
from consent.reconcile.run import Run, reconcile
from consent.store_config import Kind, Store, Transport
from consent.stores import warehouse as warehouse_module
from consent.stores.adapter import Batch, NotDelivered
from consent.stores.checked_host import CheckedHost
from consent.stores.warehouse import WarehouseStore
from consent.stores.warehouse_tables import ddl
from consent.wire import StoreEvent
from database.context import as_propagation
from database.prepare import create_database, with_database
from tests.parts.consent.conftest import World
from tests.parts.consent.people import RIVERSIDE, person
from tests.pure.consent.stores import TEMPUS
from tests.support.native_stores import SilentServer, event, kill_between_store_and_settle
from tests.support.postgres import Server

_numbers = itertools.count(1)
HELD = "SELECT value, answer, version FROM portal_consent_state ORDER BY value"


@dataclass
class Warehouse:
    """A database of its own; `owner` is the URL of who made it, `store` signs in with the rights that `ddl` names."""

    owner: str
    store: Store
    adapters: list[WarehouseStore] = field(default_factory=list)

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.owner, autocommit=True) as connection:
            done = connection.execute(statement.encode())
            return done.fetchall() if done.description else []

    def adapter(self, **more: Any) -> WarehouseStore:
        self.adapters.append(WarehouseStore(self.store, **more))
        return self.adapters[-1]


@pytest.fixture
def warehouse(postgres: Server) -> Iterator[Warehouse]:
    name = f"warehouse_{os.getpid()}_{next(_numbers)}"
    create_database(postgres.superuser_url, name)
    place = urlsplit(postgres.superuser_url).netloc.rpartition("@")[2]
    store = replace(
        TEMPUS,
        kind=Kind.SQL,
        transport=Transport.NATIVE,
        endpoint=f"postgresql://{place}/{name}",
        login=f"postgresql://{name}:hunter2@{place}/{name}",
        secrets=(),
    )
    made = Warehouse(with_database(postgres.superuser_url, name), store)
    made.run(f"CREATE ROLE {name} LOGIN PASSWORD 'hunter2'")
    made.run(ddl(name, name))
    for line in ddl(name, name).splitlines():
        if line.startswith("-- GRANT") and "portal_holds" not in line:
            made.run(line.removeprefix("-- "))
    yield made
    for adapter in made.adapters:
        adapter.close()
    with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        connection.execute(f"DROP ROLE {name}".encode())


@pytest.fixture
def joined(world: World, warehouse: Warehouse) -> Warehouse:
    """The warehouse as a store of the world."""
    world.stores["tempus"] = warehouse.store
    note_stores(world.database.worker, [warehouse.store], world.clock())
    return warehouse


def alter(world: World, how: str) -> None:
    with world.database.maintenance.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE store_batch {how}"))


def drain(world: World, warehouse: Warehouse) -> list[Step]:
    return world.drain(warehouse.store.id, warehouse.adapter(total_seconds=10.0))


def test_decisions_stand_in_the_warehouse(world: World, joined: Warehouse) -> None:
    """SUB-08, SUB-09: newest answer per person in the table, our cursor beside it, receipts kept and confirming."""
    people = [person(world.database, number) for number in range(3)]
    for who, answer in zip([*people, people[0]], [Answer.NO, Answer.NO, Answer.NO, Answer.YES], strict=True):
        world.press(who, answer=answer)
    assert Step.SENT in drain(world, joined)
    assert joined.run(HELD) == [("MRN-0", "yes", 2), ("MRN-1", "no", 1), ("MRN-2", "no", 1)]
    assert joined.run("SELECT store, event FROM portal_cursor") == [("tempus", 4)]
    with world.database.worker.begin(as_propagation()) as session:
        row = session.execute(text("SELECT state, signature, detail FROM receipt")).one()
    assert row.state == "applied"
    assert row.signature.startswith("unsigned: transaction ")
    assert row.detail["each"]["reason"] == "not signed by the store"


def test_told_twice_is_told_once(warehouse: Warehouse) -> None:
    """SUB-07, SUB-09: the same batch again, and an older version late, change no row and do not move the cursor."""
    first = Batch("m-1", [event(1, 1), event(2, 2, Answer.YES), event(3, 1, who=2)])
    adapter = warehouse.adapter()
    adapter.deliver(first)
    before = warehouse.run("SELECT s.*, c.* FROM portal_consent_state s, portal_cursor c ORDER BY value")
    again = warehouse.adapter().deliver(first)
    late = adapter.deliver(Batch("m-0", [event(1, 1)]))
    assert warehouse.run("SELECT s.*, c.* FROM portal_consent_state s, portal_cursor c ORDER BY value") == before
    assert [(r.event, r.version) for r in again.receipts] == [(1, 2), (2, 2), (3, 1)]
    assert [(r.event, r.version, r.state) for r in late.receipts] == [(1, 2, State.APPLIED)]


def test_a_warehouse_may_say_that_it_holds_nothing(warehouse: Warehouse) -> None:
    """SUB-08: with the view `portal_holds`, a person without entries there gets "nothing held"."""
    warehouse.run("CREATE TABLE chart (who text)")
    warehouse.run("INSERT INTO chart VALUES ('MRN-1'), ('MRN-1')")
    warehouse.run(
        "CREATE VIEW portal_holds AS SELECT 'urn:oid:2.16.840.1.113883.19.5' AS system, who AS value,"
        " count(*) AS n FROM chart GROUP BY who"
    )
    warehouse.run("GRANT SELECT ON portal_holds TO PUBLIC")
    answer = warehouse.adapter().deliver(Batch("m-1", [event(1, 1), event(2, 1, who=2)]))
    assert [r.state for r in answer.receipts] == [State.APPLIED, State.NOTHING_HELD]


def test_killed_before_settling_ends_the_same(world: World, joined: Warehouse, tmp_path: Path) -> None:
    """SUB-07, I2: kill -9 between the warehouse's commit and our own: the next sender changes no row."""
    for number in range(5):
        world.press(person(world.database, number))
    while world.sequence():
        pass
    kill_between_store_and_settle(joined.store, world.database.urls.worker, world.database.keyring, tmp_path)
    rows = "SELECT *, xmin FROM portal_consent_state ORDER BY value"
    before = joined.run(rows)
    assert len(before) == 5
    drain(world, joined)
    assert joined.run(rows) == before
    assert joined.run("SELECT event FROM portal_cursor") == [(5,)]
    with world.database.worker.begin(as_propagation()) as session:
        assert session.scalar(text("SELECT event_number FROM store_cursor")) == 5


def test_one_row_it_will_not_take_is_parked_alone(world: World, joined: Warehouse) -> None:
    """SUB-07: a rule of the warehouse refuses one person; the others are told, and a human is asked."""
    joined.run("ALTER TABLE portal_consent_state ADD CHECK (value <> 'MRN-3')")
    for number in range(6):
        world.press(person(world.database, number))
    assert Step.PARKED in drain(world, joined)
    assert [value for value, *_ in joined.run(HELD)] == ["MRN-0", "MRN-1", "MRN-2", "MRN-4", "MRN-5"]
    with world.database.worker.begin(as_propagation()) as session:
        assert [*session.execute(text("SELECT event_number, reason FROM parked_item"))] == [(4, "sql-23514")]


def rows(*told: StoreEvent) -> Batch:
    """The same events in the form in which a backfill tells them."""
    return Batch("m-rows", (), lines=as_rows(told))


def test_rows_of_a_backfill_do_what_events_do(warehouse: Warehouse) -> None:
    """SUB-08, SUB-09: copied straight or merged, any name as it is; a newer answer stays, a lie is no receipt."""
    odd = "a\tb\\c\nd\\."
    told = [event(1, 1), event(2, 1, who=odd), event(3, 1, Answer.YES, who=3)]
    adapter = warehouse.adapter()
    first = adapter.deliver(rows(*told))
    named = "SELECT event, value, answer, version, position, recorded_at FROM portal_consent_state ORDER BY event"
    assert [row[:2] for row in warehouse.run(named)] == [(1, "MRN-1"), (2, f"MRN-{odd}"), (3, "MRN-3")]
    before = warehouse.run(named)
    assert [(r.event, r.version, r.state) for r in first.receipts] == [(n, 1, State.APPLIED) for n in (1, 2, 3)]
    adapter.deliver(Batch("m-2", [event(5, 2, Answer.YES), event(6, 1, who=2)]))
    again = adapter.deliver(rows(*told, event(4, 3, who=4)))
    assert [(r.event, r.version) for r in again.receipts] == [(1, 2), (2, 1), (3, 1), (4, 3)], "a newer one stays"
    assert [row for row in warehouse.run(named) if row[0] in (2, 3)] == before[1:]
    assert warehouse.run("SELECT event FROM portal_cursor") == [(6,)]
    warehouse.run("CREATE TABLE portal_holds AS SELECT system, value, 1 AS n FROM portal_consent_state LIMIT 1")
    warehouse.run(f"GRANT SELECT ON portal_holds TO {urlsplit(warehouse.store.login or '').username}")
    assert [r.state for r in adapter.deliver(rows(event(7, 5), event(8, 5, who=3))).receipts].count(State.APPLIED) <= 1
    warehouse.run("DROP TABLE portal_holds")
    warehouse.run("CREATE FUNCTION lie() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    warehouse.run("CREATE TRIGGER lie BEFORE INSERT ON portal_consent_state FOR EACH ROW EXECUTE FUNCTION lie()")
    with pytest.raises(NotDelivered, match="answers-other-events"):
        adapter.deliver(rows(event(9, 1, who=9)))


def test_what_is_prepared_holds_when_it_is_delivered(warehouse: Warehouse) -> None:
    """SUB-08: a batch begun early is nothing to the warehouse until then; taken back, left for another or cut off it is
    told anew."""
    adapter = warehouse.adapter()
    batches = [replace(rows(event(n, 1, who=n)), message_id=f"m-{n}") for n in range(1, 6)]
    standing = "SELECT event FROM portal_consent_state ORDER BY event"
    adapter.prepare(batches[0])
    assert adapter._prepared is not None
    adapter._prepared[1].result(30)
    assert warehouse.run(standing) == [], "written, and not committed"
    adapter.take_back()
    adapter.take_back()
    for number, prepared, told in ((1, 0, 0), (2, 2, 1), (3, 2, 2)):
        adapter.prepare(batches[prepared])
        assert [(r.event, r.state) for r in adapter.deliver(batches[told]).receipts] == [(number, State.APPLIED)]
        assert warehouse.run(standing) == [(n,) for n in range(1, number + 1)]
    adapter.prepare(batches[3])
    adapter._prepared[1].result(30)
    warehouse.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'patient-portal'")
    adapter.deliver(batches[3])
    adapter.prepare(replace(batches[4], lines=as_rows([event(5, 1, who="a\0b")])))
    adapter.deliver(batches[4])
    assert warehouse.run(standing) == [(n,) for n in range(1, 6)]
    assert warehouse.run("SELECT event, message_id FROM portal_cursor") == [(5, "m-5")]


@pytest.mark.parametrize("lie", ["NULL", "OLD"])
def test_a_table_that_says_otherwise_is_not_believed(warehouse: Warehouse, lie: str) -> None:
    """SUB-08: a trigger that swallows rows or keeps old ones makes no receipt."""
    adapter = warehouse.adapter()
    adapter.deliver(Batch("m-1", [event(1, 1, Answer.YES)]))
    body = f"CREATE FUNCTION lie() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN {lie}; END'"
    warehouse.run(body)
    warehouse.run("CREATE TRIGGER lie BEFORE UPDATE ON portal_consent_state FOR EACH ROW EXECUTE FUNCTION lie()")
    with pytest.raises(NotDelivered, match="answers-otherwise") as error:
        adapter.deliver(Batch("m-2", [event(2, 2)]))
    assert error.value.answered
    assert warehouse.run(HELD) == [("MRN-1", "yes", 1)]
    assert warehouse.run("SELECT event FROM portal_cursor") == [(1,)], "rolled back whole"


def test_tables_missing_or_rights_missing_stop_the_store_only(warehouse: Warehouse) -> None:
    """SUB-07: a fault of the warehouse is not blamed on a decision."""
    warehouse.run("REVOKE INSERT ON portal_consent_state FROM " + urlsplit(warehouse.store.endpoint).path[1:])
    adapter = warehouse.adapter()
    with pytest.raises(NotDelivered, match="sql-42501") as error:
        adapter.deliver(Batch("m-1", [event(1, 1)]))
    assert not error.value.answered
    assert adapter.is_well()
    warehouse.run("DROP TABLE portal_cursor")
    assert not adapter.is_well()


def test_a_connection_that_died_is_made_anew(warehouse: Warehouse) -> None:
    """SUB-07: the server was restarted between two batches; the second goes through at once."""
    adapter = warehouse.adapter()
    adapter.deliver(Batch("m-1", [event(1, 1)]))
    warehouse.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'patient-portal'")
    assert adapter.deliver(Batch("m-2", [event(2, 2)])).receipts[0].version == 2


def test_a_warehouse_that_hangs_is_left(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """SEC-10: a lock held for ever, and a server that greets and says nothing, cost the time that we allow."""
    with psycopg.connect(warehouse.owner) as blocker:
        blocker.execute("LOCK TABLE portal_cursor")
        with pytest.raises(NotDelivered, match="connection"):
            warehouse.adapter(total_seconds=0.3).deliver(Batch("m-1", [event(1, 1)]))
    monkeypatch.setattr(warehouse_module, "CONNECT_SECONDS", 2)  # the least that libpq knows
    silent = SilentServer()
    endpoint = f"postgresql://127.0.0.1:{silent.port}/x"
    hanging = WarehouseStore(replace(warehouse.store, endpoint=endpoint, login=endpoint))
    with pytest.raises(NotDelivered, match="connection"):
        hanging.deliver(Batch("m-1", [event(1, 1)]))
    silent.close()
    with pytest.raises(NotDelivered, match="connection") as error:
        hanging.deliver(Batch("m-1", [event(1, 1)]))
    assert not error.value.answered
    assert not hanging.is_well()


def test_a_public_warehouse_needs_tls_and_a_public_address(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SEC-05: a public store is never reached on this machine, and never in plain text."""
    public = WarehouseStore(replace(warehouse.store, network="public"))
    with pytest.raises(NotDelivered, match="address-not-public"):
        public.deliver(Batch("m-1", [event(1, 1)]))
    port = urlsplit(warehouse.store.endpoint).port or 0
    here = CheckedHost("warehouse.example", port, ("127.0.0.1",))
    monkeypatch.setattr(warehouse_module, "checked_host", lambda _store: here)
    with pytest.raises(NotDelivered, match="connection"):
        public.deliver(Batch("m-1", [event(1, 1)]))
    assert warehouse.run(HELD) == []


def test_nul_in_a_name_is_the_event_s_fault(warehouse: Warehouse) -> None:
    """SUB-07: what PostgreSQL cannot hold at all is blamed on the event, so that it is parked alone."""
    with pytest.raises(NotDelivered) as error:
        warehouse.adapter().deliver(Batch("m-1", [event(1, 1, who="x\x00y")]))
    assert error.value.answered


def test_a_warehouse_is_compared_by_sets(world: World, joined: Warehouse) -> None:
    """SUB-08: rows lost, changed, or of whom entries are held still: found by digests in SQL, and told again."""
    for number in range(8):
        world.press(person(world.database, number))
    world.press(person(world.database, 7), answer=Answer.YES)
    drain(world, joined)

    def run() -> Run:
        return reconcile(world.database.worker, joined.adapter(), world.clock)

    first = run()
    assert (first.outcome, first.counted, first.theirs, first.requests) == ("agrees", 8, 8, 2)
    joined.run("DELETE FROM portal_consent_state WHERE value = 'MRN-1'")
    joined.run("UPDATE portal_consent_state SET answer = 'yes' WHERE value = 'MRN-2'")
    joined.run("UPDATE portal_consent_state SET answer = 'no' WHERE value = 'MRN-7'")
    joined.run("CREATE TABLE portal_holds AS SELECT system, value, 3 AS n FROM portal_consent_state LIMIT 0")
    joined.run(f"INSERT INTO portal_holds VALUES ('{RIVERSIDE}', 'MRN-3', 3)")
    joined.run(f"GRANT SELECT ON portal_holds TO {urlsplit(joined.store.login or '').username}")
    found = run()
    assert (found.outcome, found.repaired, found.to_people, found.requests) == ("drift", 3, 1, 3)
    drain(world, joined)
    answers = {value: answer for value, answer, _ in joined.run(HELD)}
    assert {value for value, answer in answers.items() if answer == "yes"} == set()
    assert len(answers) == 8
    joined.run("DROP TABLE portal_holds")
    again = run()
    assert (again.repaired, again.to_people) == (0, 1), "the lost yes is for people, and stays out meanwhile"


@pytest.mark.parametrize("long_run", [1, 20_000], ids=["as a stream", "by keys"])
def test_a_warehouse_is_backfilled(
    world: World, joined: Warehouse, monkeypatch: pytest.MonkeyPatch, long_run: int
) -> None:
    """Decisions (a new store): those to keep out, as a set; told again from the present standing nothing is doubled."""
    monkeypatch.setattr("consent.feed.read_ahead.LONG_RUN", long_run)
    for number in range(9):
        world.press(person(world.database, number))
    world.press(person(world.database, 8), answer=Answer.YES)
    while world.sequence():
        pass

    def fill() -> Backfill:
        pace = Pace(backfill=4)
        return backfill(world.database.worker, world.database.keyring, joined.adapter(), world.clock, pace)

    alter(world, "ADD CONSTRAINT broken CHECK (first_event <> 5) NOT VALID")
    with pytest.raises(IntegrityError):
        fill()
    assert [value for value, _, _ in joined.run(HELD)] == [f"MRN-{number}" for number in range(4)], "and none begun"
    alter(world, "DROP CONSTRAINT broken")
    assert fill().told == 8
    before = joined.run(HELD)
    assert [value for value, _, _ in before] == [f"MRN-{number}" for number in range(8)]
    anew = fill()
    assert (anew.is_done, anew.told) == (True, 9)
    assert joined.run(HELD)[:8] == before
    assert reconcile(world.database.worker, joined.adapter(), world.clock).outcome == "agrees"
