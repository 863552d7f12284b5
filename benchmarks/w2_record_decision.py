"""W2: record a decision durably, with its tamper evidence and without, one at a time and 32 at once.

G2.1: the whole POST beside a bare handler. G2.5 is the crash harness (docs/reliability), G2.6 `python -m benchmarks
scale`.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from benchmarks.harness.arms import Arm, Benchmark, Goal, Outcome
from benchmarks.harness.plans import catching
from benchmarks.harness.postgres import SETTINGS, bench_server
from benchmarks.scale.fill import fill
from benchmarks.scale.paths import wal_flushes
from benchmarks.scale.site import Site, press
from benchmarks.w2_post import AT_ONCE, Servers, presses, sent, servers
from consent import record_decision as product
from consent.decision import Decision
from consent.feed.run import utc_now

NAME = "w2"


@dataclass
class World:
    site: Site
    count: int
    begin_servers: Callable[[], Servers]

    @cached_property
    def servers(self) -> Servers:
        """Started when an arm first asks."""
        return self.begin_servers()


@contextmanager
def _world(small: bool) -> Iterator[World]:
    people = 2_000 if small else 100_000
    with bench_server(SETTINGS) as bench, tempfile.TemporaryDirectory() as folder:
        fill(bench, "w2", people)
        site = Site("w2", people, bench.connect("w2", pool_size=AT_ONCE), bench.ring)
        site.prepare()
        with ExitStack() as ends:
            begin = partial(ends.enter_context, servers(bench, site, Path(folder)))
            yield World(site, 20 if small else 300, begin)


def _no_leaf(_decision: Decision) -> bytes:
    return b"\0" * 32


def _run(world: World, at_once: int, leaf: Callable[[Decision], bytes]) -> Outcome:
    people = world.site.persons(world.count)
    product.leaf_of, kept = leaf, product.leaf_of  # type: ignore[attr-defined, assignment]  # swapped for an arm
    flushed = wal_flushes(world.site)
    began = time.monotonic()
    with catching(world.site.database.web.engine) as caught, ThreadPoolExecutor(at_once) as pool:
        made = sum(pool.map(lambda who: _one(world.site, who), people))
    took = time.monotonic() - began
    product.leaf_of = kept  # type: ignore[attr-defined]  # put back
    figures = {
        "per_second": made / took,
        "statements": len(caught) / made,
        "flushes": (wal_flushes(world.site) - flushed) / made,
    }
    return Outcome(made, hashlib.sha256(str(made).encode()).hexdigest(), figures)


def _one(site: Site, who: tuple[object, object]) -> int:
    person, answer = who
    asked = press(person, answer)  # type: ignore[arg-type]  # a row of the world
    return 0 if product.record_decision(site.database.web, site.ring, asked, utc_now()).repeated else 1


LEAF = product.leaf_of  # type: ignore[attr-defined]  # the product's own name for it, as an arm is given it


BENCHMARK = Benchmark(
    NAME,
    (
        Arm("recorded, one at a time", lambda world, _turn: _run(world, 1, LEAF)),
        Arm("without tamper evidence", lambda world, _turn: _run(world, 1, _no_leaf)),
        Arm("bare handler, c=32", lambda world, _turn: sent(world.servers.bare, presses(world.site, world.count))),
        Arm("whole POST, c=32", lambda world, _turn: sent(world.servers.product, presses(world.site, world.count))),
        Arm("recorded, 32 at once", lambda world, _turn: _run(world, AT_ONCE, LEAF)),
    ),
    (
        Goal("G2.1", "whole POST, c=32", "per_second", 0.5, over="bare handler, c=32"),
        Goal("G2.3 statements", "recorded, one at a time", "statements", 5, at_most=True),
        Goal("G2.3 flushes at c=1", "recorded, one at a time", "flushes", 1.05, at_most=True),
        Goal("G2.3 flushes at c=32", "recorded, 32 at once", "flushes", 0.5, at_most=True),
        Goal("G2.4", "recorded, one at a time", "per_second", 0.85, over="without tamper evidence"),
    ),
    _world,
)
