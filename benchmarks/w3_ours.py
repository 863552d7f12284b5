"""The arms of W3 that are the product's own senders."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import orjson

from benchmarks.harness.arms import Outcome
from benchmarks.w3_world import World, drain, drain_all
from consent.feed.pace import Pace
from consent.feed.read_events import numbered, read_events
from consent.feed.run import note_stores, utc_now
from consent.store_config import Store
from consent.wire import StoreEvent, bundle
from database.context import as_propagation

RTT = 0.020
COUNTED = 1_000
"""Changes in a batch as batch/RTT counts them, whatever we send at once."""
BUNDLES = 15_000


def one_store(delay_ms: float) -> Callable[[World, int], Outcome]:
    """One webhook store, compact lines."""

    def run(world: World, _turn: int) -> Outcome:
        store = world.stores[0]
        world.at_start([store], delay_ms=delay_ms)
        took = drain_all(world, [store])
        limit = COUNTED / RTT
        return world.outcome(store.id, world.changes, took, of_limit=world.changes / took / limit)

    return run


def many_stores(count: int, bad: str | None = None) -> Callable[[World, int], Outcome]:
    """`count` stores 20 ms away, and beside them one that behaves `bad`ly; the rate is that of the good ones."""

    def run(world: World, _turn: int) -> Outcome:
        stores = world.stores[:count]
        world.at_start(stores, delay_ms=RTT * 1000)
        with _Beside(world, bad):
            took = drain_all(world, stores)
        for store in stores[1:]:
            assert world.count(store.id) == world.changes, f"{store.id} took {world.count(store.id)}"
        outcome = world.outcome(stores[0].id, world.changes, took)
        return replace(outcome, figures={"per_second": count * world.changes / took})

    return run


class _Beside:
    """A sender to a store that hangs or answers 503, for as long as the others are measured."""

    def __init__(self, world: World, bad: str | None) -> None:
        self._world, self._bad = world, bad
        self._store = replace(world.stores[0], id="bad", endpoint=world.stores[0].endpoint.replace("platform-0", "bad"))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        sender = self._world.sender(self._store)
        while not self._stop.is_set():
            sender.step()
            self._stop.wait(0.05)

    def __enter__(self) -> None:
        if self._bad:
            note_stores(self._world.database.worker, [self._store], utc_now())
            self._world.at_start([self._store])
            self._world.sender(self._store).step()  # it was well once
            self._world.manner("bad", answer=self._bad)
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        if self._bad:
            self._stop.set()
            self._world.manner("bad", answer="503")
            self._thread.join()


def bundles(world: World, _turn: int) -> Outcome:
    """The same as Backport Bundles, of which a Consent is most."""
    count = min(BUNDLES, world.changes)
    return _told(world, world.backport, count)


def _told(world: World, store: Store, count: int) -> Outcome:
    world.at_start([store], count)
    began = time.perf_counter()
    drain(world.sender(store))
    return _outcome_of_last(world, store.id, count, time.perf_counter() - began)


def _outcome_of_last(world: World, store: str, count: int, took: float) -> Outcome:
    """Of an arm that tells only the last `count` changes; what it took is compared with the tables there."""
    taken = world.taken(store)
    assert [row[:3] for row in taken] == world.told_at(world.start + world.changes - count, count), store
    return replace(world.expected_outcome, figures={"per_second": count / took})


def build_bundles(world: World, _turn: int) -> Outcome:
    """One core that does nothing but build the Bundles of events it already holds."""
    count = min(BUNDLES, world.changes)
    runs = _events(world, count)
    began = time.perf_counter()
    for run in runs:
        orjson.dumps(bundle(world.backport, run, "event-notification"))
    return replace(world.expected_outcome, figures={"per_second": count / (time.perf_counter() - began)})


def _events(world: World, count: int) -> list[Sequence[StoreEvent]]:
    size, first = Pace().batch, world.start + world.changes - count
    runs: list[Sequence[StoreEvent]] = []
    with world.database.worker.begin(as_propagation()) as session:
        for start in range(first, first + count, size):
            told = read_events(session, world.ring, world.backport, start, start + size, utc_now())
            runs.append(numbered(told, world.backport, 1))
    return runs
