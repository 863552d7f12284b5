"""The stores' public record and the operator's numbers, counted from real receipts, each once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import orjson
import pytest
from sqlalchemy import text

from consent.kept_receipts import STATES, kept, one_receipt
from consent.late_receipts import accept_late_receipts
from consent.operations import Operations, count_standing, read_operations
from consent.overdue import Owed
from consent.receipts import State, StoreReceipt
from consent.seal import Sealer
from consent.store_record import StoreRecord, count_confirmations, read_records, read_times
from consent.wire_signature import sign
from database.context import as_nobody, as_propagation
from tests.parts.consent.conftest import World
from tests.parts.consent.people import person
from tests.parts.consent.receiver import Receiver
from tests.pure.consent.stores import DISCOVERY, REGISTRY, SECRET


def count(world: World) -> int:
    """All receipts but those of the last half minute."""
    world.clock.tick(31)
    looked = 0
    while found := count_confirmations(world.database.worker, world.clock()):
        looked += found
    return looked


def seconds(world: World, store: str) -> tuple[int, int, int]:
    """Events counted, their seconds in sum, and the slowest."""
    with world.database.web.begin(as_nobody()) as session:
        times = read_times(session).get(store)
    return (times.events, times.seconds, times.slowest) if times else (0, 0, 0)


def record(world: World, store: str) -> StoreRecord:
    with world.database.web.begin(as_nobody()) as session:
        return {one.store_id: one for one in read_records(session, world.clock())}[store]


def test_each_confirmation_is_counted_once_with_its_time(world: World, platform: Receiver) -> None:
    """SUB-08: from the person's decision to the receipt; asked again, nothing is added."""
    for number in range(6):
        world.press(person(world.database, number))
        world.clock.tick(10)
    world.drain("cancerlinq")
    assert count(world) == 1, "one receipt for the whole batch"
    assert seconds(world, "cancerlinq") == (6, 60 + 50 + 40 + 30 + 20 + 10, 60)
    assert count(world) == 0
    with world.database.worker.begin(as_propagation()) as session:
        session.execute(text("UPDATE standing_count SET value = 0"))
        session.execute(text("INSERT INTO receipt (store_id, batch_id, state, detail, signature, received_at)"
                             " SELECT store_id, batch_id, state, detail, signature, received_at + interval '9 days'"
                             " FROM receipt"))  # fmt: skip
    world.clock.tick(10 * 86_400)
    assert count(world) == 2
    assert seconds(world, "cancerlinq")[0] == 12, "the first receipt was counted again by hand, its copy was not"


def test_a_kept_receipt_reads_as_it_was_signed(world: World) -> None:
    """SUB-08: by column, and as a list, which is how batches of before have them."""
    signed = [
        StoreReceipt(5, 1, State.APPLIED, removed=2, reference="R,1", at="a"),
        StoreReceipt(6, 12, State.APPLIED, removed=0, at="a"),
        StoreReceipt(7, 1, State.NOT_FOUND, removed=3, stopped=True, at="a"),
    ]
    as_list = msgspec.json.encode({"receipts": signed}).decode()
    states = text("SELECT position, state FROM (SELECT CAST(:detail AS jsonb) AS detail, CAST('{8,9,9}' AS bigint[]) AS"
                  f" positions) p CROSS JOIN LATERAL ({STATES}) s WHERE state IS NOT NULL ORDER BY 1, 2")  # fmt: skip
    one = text(f"SELECT {one_receipt('d.detail', 'place', 'place + 5')} FROM"
               " (SELECT CAST(:detail AS jsonb) AS detail) d, generate_series(0, 2) place ORDER BY place")  # fmt: skip
    with world.database.web.begin(as_nobody()) as session:
        for detail in (kept(signed).as_json(), as_list):
            assert session.scalars(one, {"detail": detail}).all() == [each.as_detail() for each in signed]
            found = [tuple(row) for row in session.execute(states, {"detail": detail})]
            assert found == [(8, "applied"), (9, "applied"), (9, "not_found")]
        alike = kept(signed[:2] + signed[:1]).as_json()
        assert [row.state for row in session.execute(states, {"detail": alike})] == ["applied"] * 3
        assert session.scalars(one, {"detail": "{}"}).all() == [None] * 3


def test_a_promise_counts_when_it_is_kept(world: World) -> None:
    """SUB-08: `accepted` is no confirmation; the later receipt is, the first one, and to its own moment."""
    store = world.add(DISCOVERY)
    store.state = "accepted"
    for number in range(2):
        world.press(person(world.database, number))
    world.drain("discovery")
    count(world)
    assert seconds(world, "discovery") == (0, 0, 0)
    world.clock.tick(100)
    for turn, state in enumerate(("applied", "nothing-held")):
        receipts = [{"event": 1, "version": 1, "state": state, "removed": 0}]
        body = orjson.dumps({"store": "discovery", "receipts": receipts})
        headers = sign([SECRET], f"late-{turn}", body, world.clock())
        stores = list(world.stores.values())
        accept_late_receipts(world.database.web, stores, "discovery", headers, body, world.clock())
        world.clock.tick(1_000)
    count(world)
    assert seconds(world, "discovery") == (1, 131, 131)


def test_what_was_told_again_and_what_was_before_it_is_no_measure(world: World, platform: Receiver) -> None:
    """Issue 3: a backfill tells of decisions of long ago, and nobody waited for this store then."""
    with world.database.worker.begin(as_nobody()) as session:
        session.execute(text("UPDATE store SET added_at = :now"), {"now": world.clock() + timedelta(seconds=15)})
    world.press(person(world.database, 1))
    world.clock.tick(20)
    world.press(person(world.database, 2))
    world.drain("cancerlinq")
    with world.database.worker.begin(as_propagation()) as session:
        session.execute(text("UPDATE store_batch SET purpose = 'backfill'"))
    world.press(person(world.database, 3))
    world.clock.tick(7)
    world.drain("cancerlinq")
    count(world)
    assert seconds(world, "cancerlinq") == (1, 7, 7)


def test_small_numbers_are_hidden(world: World, platform: Receiver) -> None:
    """House rule 6: fewer than 11 are few; none is none; registries are told nothing and have no record."""
    world.add(REGISTRY)
    for number in range(10):
        world.press(person(world.database, number))
    world.clock.tick(20)
    world.drain("cancerlinq")
    count(world)
    found = record(world, "cancerlinq")
    assert (found.half, found.slowest, found.overdue, found.checked, found.drift) == (None, None, 0, None, None)
    assert found.since is None
    world.press(person(world.database, 10))
    world.drain("cancerlinq")
    count(world)
    for number in range(20, 23):
        world.press(person(world.database, number))
    world.sequence()
    world.clock.tick(3_600)
    Owed(world.database.worker).look(list(world.stores.values()), world.clock())
    compare(world, "cancerlinq", differing=3, stray=0)
    found = record(world, "cancerlinq")
    assert (found.half, found.slowest) == (timedelta(seconds=20), timedelta(seconds=20))
    assert found.since is not None
    assert (found.overdue, found.drift, found.answered, found.checked) == (None, None, True, world.clock())
    compare(world, "cancerlinq", differing=10, stray=1)
    assert record(world, "cancerlinq").drift == 11
    with world.database.web.begin(as_nobody()) as session:
        assert [one.store_id for one in read_records(session, world.clock())] == ["cancerlinq"]


def compare(world: World, store: str, **found: int) -> None:
    """What a reconciliation leaves behind."""
    values: dict[str, Any] = {"store": store, "now": world.clock(), "outcome": "drift", **found}
    with world.database.worker.begin(as_propagation()) as session:
        session.execute(
            text(
                "INSERT INTO reconciliation (store_id, outcome, through_event, counted, theirs, differing, repaired,"
                " to_people, stray, requests, fetched, began_at, ended_at) VALUES (:store, :outcome, 9, 9, 9,"
                " :differing, :differing, 0, :stray, 1, 1, :now, :now)"
            ),
            values,
        )


def choke(message: str, events: list[Any], good: Any) -> Any:
    return (500, {}, b"") if events and events[0].value == "MRN-0" else None


def operations(world: World) -> Operations:
    count_standing(world.database.worker, world.clock())
    with world.database.web.begin(as_nobody()) as session:
        return read_operations(session)


def test_the_operators_numbers(world: World, platform: Receiver) -> None:
    """Issue 3: what waits for its place or a signed head, what is set aside and why, and since when."""
    began = world.clock()
    for number in range(2):
        world.press(person(world.database, number))
    found = operations(world)
    assert (found.count("positions"), found.count("unsequenced"), found.head) == (0, 2, None)
    assert found.counts["unsequenced"].oldest_at == began
    world.clock.tick(5)
    world.sequence()
    found = operations(world)
    assert (found.count("positions"), found.count("unsequenced"), found.count("unsealed")) == (2, 0, 2)
    assert found.counts["unsealed"].oldest_at == began + timedelta(seconds=5)
    Sealer(world.database.worker, world.database.keyring).seal_once(world.clock())
    platform.misbehave = choke
    world.drain("cancerlinq")
    Owed(world.database.worker).look(list(world.stores.values()), world.clock())
    found = operations(world)
    assert (found.count("unsealed"), found.head) == (0, (2, began + timedelta(seconds=5)))
    assert {name: one.value for name, one in found.named("parked")} == {"cancerlinq:status-500": 1}
    assert {name: one.value for name, one in found.named("task")} == {"store-parked": 1}
    (store,) = found.stores
    assert (store.waiting, store.parked, store.position, store.channel) == (1, 1, 2, "active")
    assert store.lag(world.clock()) == world.clock() - began
    platform.misbehave = None
    world.clock.tick(60)
    world.drain("cancerlinq")
    Owed(world.database.worker).look(list(world.stores.values()), world.clock())
    found = operations(world)
    assert list(found.named("parked")) == list(found.named("task")) == []
    assert found.stores[0].lag(world.clock()) == timedelta()


@pytest.mark.parametrize("table", ["confirm_time", "store_digest", "standing_count"])
def test_the_web_only_reads_them(world: World, table: str) -> None:
    """Decisions, Database roles: the numbers are the worker's; a page cannot make them up."""
    with world.database.web.begin(as_nobody()) as session:
        rights = {
            right: session.scalar(text("SELECT has_table_privilege(:table, :right)"), {"table": table, "right": right})
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE")
        }
    assert rights == {"SELECT": True, "INSERT": False, "UPDATE": False, "DELETE": False}
