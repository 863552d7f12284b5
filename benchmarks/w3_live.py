"""The arms of W3 about single changes: 100 of them among few and many people, and how soon each reaches 8 stores."""

from __future__ import annotations

import logging
import multiprocessing
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import cast

import psycopg
import structlog

from benchmarks.harness.arms import Outcome
from benchmarks.scale.site import press
from benchmarks.w3_world import World, drain
from consent.decision import Answer
from consent.feed.run import run_feed, utc_now
from consent.feed.sender import Step
from consent.record_decision import record_decision
from consent.sequencer import sequence_once
from consent.store_config import Store
from database.keyring import KeyRing
from database.unit_of_work import Database
from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination

A_SECOND = 100
ROUNDS = 9
# With ids that begin with their time, as the product's do.
_CHANGE = (
    "WITH who AS (SELECT p.id, (SELECT max(version) + 1 FROM decision d WHERE d.person_id = p.id) AS version"
    " FROM person p WHERE person_no = ANY (%(numbers)s)), made AS (INSERT INTO decision (id, person_id, version,"
    " choice, answer, categories, sensitive, actor_kind, means, language, confirmed_by_person, asked_at, recorded_at,"
    " idempotency_key, salt) SELECT uuidv7(), id, version, 'cancerlinq', 'no', '{}', '{}', 'patient', 'web',"
    " 'en', true, now(), now(), gen_random_uuid()::text, '\\x00' FROM who RETURNING id, person_id, version)"
    " INSERT INTO unsequenced (decision_id, person_id, version, leaf) SELECT id, person_id, version, '\\x00' FROM made"
)
_READ_ROWS = (
    "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_user_tables"
    " WHERE relname = 'decision'"
)


def hundred(of: Callable[[World], World]) -> Callable[[World, int], Outcome]:
    """100 new changes, from the sequencer to a store's receipt, and what an idle look reads after: the median of some
    rounds, for one takes 20 ms and a checkpoint or another process may fall into it."""

    def run(shared: World, turn: int) -> Outcome:
        world = of(shared)
        store, top = world.stores[1], world.top()
        world.at_start([store], 0)
        world.at_position([store], top)
        sender, told, took = world.sender(store), 0, list[float]()
        for hundreds in range(turn * ROUNDS, (turn + 1) * ROUNDS):
            numbers = {1 + (hundreds * 100 + n) * 7919 % (world.people - 1) for n in range(100)}
            with psycopg.connect(world.database.superuser_url, autocommit=True) as connection:
                connection.execute(_CHANGE, {"numbers": list(numbers)})
            sender.step()
            began = time.perf_counter()
            sequence_once(world.database.worker, utc_now())
            drain(sender)
            took.append(time.perf_counter() - began)
            told += len(numbers)
            assert world.count(store.id) == told, store.id
        idle = _idle_rows(world, sender.step)
        world.forget_from(top)
        figures = {"seconds": statistics.median(took), "ledger_rows_when_idle": idle}
        return replace(shared.expected_outcome, figures=figures)

    return run


def _idle_rows(world: World, step: Callable[[], Step]) -> float:
    """Ledger rows read by ten looks that find nothing."""
    with psycopg.connect(world.database.superuser_url, autocommit=True) as connection:
        time.sleep(0.2)

        def read() -> int:
            connection.execute("SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot()")
            row = connection.execute(_READ_ROWS).fetchone()
            return int(row[0]) if row else 0

        with world.database.worker.engine.connect() as own:
            own.exec_driver_sql("SELECT pg_stat_force_next_flush()")
        before = read()
        for _ in range(10):
            assert step() is Step.IDLE
        with world.database.worker.engine.connect() as own:
            own.exec_driver_sql("SELECT pg_stat_force_next_flush()")
        return float(read() - before)


def soon(world: World, turn: int) -> Outcome:
    """100 changes a second into the product, its feed in a process of its own, 8 stores 20 ms away."""
    few, seconds = world.few, 1 if world.small else 10
    count = A_SECOND * seconds
    rows = few.answers(1 + turn * (count + 1) % (few.people - count - 1), count + 1)
    few.at_position(few.stores, few.top())
    for store in few.stores:
        few.manner(store.id, delay_ms=20)
    stop = multiprocessing.get_context("spawn").Event()
    arguments = (few.database.urls.worker, few.ring_file, few.stores, stop)
    process = multiprocessing.get_context("spawn").Process(target=_feed, args=arguments)
    process.start()
    try:
        committed = _pressed(few, rows[:1])
        _wait_until(few, 1)  # the feed is up and has shaken hands
        committed |= _pressed(few, rows[1:])
        _wait_until(few, len(rows))
    finally:
        stop.set()
        process.join(30)
    first = (rows[0][1], rows[0][2] + 1)
    taken = [row for store in few.stores for row in few.taken(store.id) if row[:2] != first]
    waits = sorted(at + 20 - committed[value, version] for value, version, _, _, at in taken)
    assert len(waits) == len(few.stores) * count, "not every store was told all"
    figures = {"p50_ms": statistics.median(waits), "p99_ms": waits[len(waits) * 99 // 100]}
    return replace(world.expected_outcome, figures=figures)


def _wait_until(world: World, count: int) -> None:
    deadline = time.monotonic() + 120
    while any(world.count(store.id) < count for store in world.stores) and time.monotonic() < deadline:
        time.sleep(0.1)


def _pressed(world: World, rows: Sequence[tuple[object, str, int, str]]) -> dict[tuple[str, int], float]:
    """When each was committed, in milliseconds since 1970; one is begun each hundredth of a second."""
    committed: dict[tuple[str, int], float] = {}
    began = time.monotonic()

    def decide(place: int, row: tuple[object, str, int, str]) -> None:
        person, value, version, answer = row
        time.sleep(max(0.0, began + place / A_SECOND - time.monotonic()))
        asked = press(person, Answer.NO if answer == "yes" else Answer.YES)  # type: ignore[arg-type]  # a UUID
        made = record_decision(world.database.web, world.ring, asked, utc_now())
        assert not made.repeated
        committed[value, version + 1] = time.time() * 1000

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(decide, range(len(rows)), rows))
    return committed


def _feed(url: str, ring_file: Path, stores: Sequence[Store], stop: Event) -> None:
    """The product's feed, as `portal feed` runs it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    http = OutboundClient(AllowList([destination(store.endpoint, private=True) for store in stores]))
    database = Database(url, pool_size=20)
    run_feed(database, KeyRing.load(ring_file), stores, http, cast(threading.Event, stop))
    database.close()
    http.close()
