"""Work on everyone, at three sizes: a store filled with what stands, and the yes of half of all people ended at once.

`python -m benchmarks everyone --people 10000000 --data FOLDER`: microseconds a person and the ratio to the raw arm, in
`everyone.json` and `everyone.md`. Each arm runs once at each size; before a time counts, what was told or written is
compared with the ledger by count and digest.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import psycopg

from benchmarks.harness.postgres import LOADING, SETTINGS, BenchServer, bench_server
from benchmarks.harness.probes import probe
from benchmarks.harness.say import say
from benchmarks.scale.everyone_ledger import fill_everyone
from benchmarks.scale.world import PLATFORM
from benchmarks.w3_backfill import HELD, RAW_HELD, STANDING, copy_raw, fill_apart, post_lines, value, warehouse
from benchmarks.w3_mass import AS_BEFORE, HOW_MANY, RAW
from benchmarks.w3_world import World, receiver
from consent.feed.begin_and_end import EVER
from consent.feed.ends import add_ends
from consent.feed.read_ahead import ReadAhead
from consent.feed.run import note_stores, utc_now
from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination

Figures = dict[str, Any]
ARMS = ("raw COPY", "warehouse filled", "SQL-built lines", "lines filled", "raw statement", "everyone's yes ends")
OVER = {"warehouse filled": "raw COPY", "lines filled": "SQL-built lines", "everyone's yes ends": "raw statement"}
_DIGEST = "SELECT count(*), sum(hashtextextended({value} || ' ' || version || ' ' || answer, 0)::numeric)"


def run(people: int, folder: Path | None, out: Path, *, filled: bool = False) -> Figures:
    """The curve up to `people` (a hundredth and a tenth of it before). `folder` keeps the data; `filled` says that it
    holds it already."""
    sizes = [size for size in (people // 100, people // 10, people) if size >= 10_000]
    found: Figures = {"sizes": sizes, "filled": {}, "found": {}}
    with bench_server(SETTINGS if filled else {**SETTINGS, **LOADING}, folder) as bench, receiver() as port:
        if not filled:
            for size in sizes:
                bench.migrated(_name(size))
                found["filled"][str(size)] = fill_everyone(bench.connect(_name(size)), bench.ring, size)
            bench.restart(SETTINGS)
        found["probes"] = [probe(bench.folder)]
        for size in sizes:
            with _world(bench, size, port) as world:
                found["found"][str(size)] = figures = {}
                for arm, figure in _measured(world):
                    figures[arm] = {**figure, "load": os.getloadavg()[0]}
                    say(f"{size:,}, {arm}: {figures[arm]}")
                    _keep(out, found)
        found["probes"].append(probe(bench.folder))
        _keep(out, found)
    return found


def _name(size: int) -> str:
    return f"everyone_{size}"


@contextmanager
def _world(bench: BenchServer, size: int, port: int) -> Iterator[World]:
    database = bench.connect(_name(size))
    store = replace(PLATFORM, endpoint=f"http://127.0.0.1:{port}/s/{PLATFORM.id}")
    note_stores(database.worker, [store], utc_now())
    http = OutboundClient(AllowList([destination(store.endpoint, private=True)]))
    ahead = ReadAhead(database.worker, bench.ring, utc_now)
    ring_file = bench.folder / "keys.json"
    try:
        yield World(database, bench.ring, [store], store, port, 0, 0, False, http, ahead, ring_file, size)
    finally:
        ahead.close()
        http.close()


def _measured(world: World) -> Iterator[tuple[str, Figures]]:
    _as_before(world)
    stands = _digest(world.database.superuser_url, f"{_DIGEST.format(value=value(world.people))} {STANDING}")
    with warehouse(world, "everyone_raw") as (_, url):
        seconds = copy_raw(world, url)
        assert _held(url, RAW_HELD) == stands, "the copy holds something else"
    yield "raw COPY", _each(seconds, world.people)
    with warehouse(world, "everyone_house") as (store, url):
        said = fill_apart(world, store)
        assert _held(url, HELD) == stands, "the warehouse holds something else"
    yield "warehouse filled", {**_each(said["seconds"], world.people), **_own(said, world.people)}
    world.manner("sql-lines", keeps=False)
    yield "SQL-built lines", _each(post_lines(world), world.people)
    said = fill_apart(world, world.stores[0], keeps=False)
    assert world.count("sql-lines") == world.count(world.stores[0].id) == world.people, "not everyone was told of"
    yield "lines filled", {**_each(said["seconds"], world.people), **_own(said, world.people)}
    yield from _ended(world)


def _ended(world: World) -> Iterator[tuple[str, Figures]]:
    with psycopg.connect(world.database.superuser_url, autocommit=True) as connection:
        began = time.perf_counter()
        with connection.transaction(force_rollback=True):
            count = connection.execute(RAW.encode()).rowcount
            took = time.perf_counter() - began
        yield "raw statement", _each(took, count)
        connection.execute("VACUUM decision, unsequenced")
        began = time.perf_counter()
        assert add_ends(world.database.worker, EVER, utc_now()) == count, "not everyone's yes ended"
        took = time.perf_counter() - began
        assert connection.execute(HOW_MANY.encode()).fetchone() == (0,), "a yes still stands"
        yield "everyone's yes ends", _each(took, count)


def _as_before(world: World) -> None:
    """What an earlier run wrote is taken away again."""
    with psycopg.connect(world.database.superuser_url, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM unsequenced LIMIT 1").fetchone():
            for statement in AS_BEFORE:
                connection.execute(statement.encode())


def _held(url: str, held: str) -> object:
    return _digest(url, f"{_DIGEST.format(value='value')} FROM ({held}) h")


def _digest(url: str, statement: str) -> object:
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode()).fetchone()


def _each(seconds: float, count: int) -> Figures:
    return {"count": count, "seconds": round(seconds, 2), "us": seconds / count * 1e6}


def _own(said: dict[str, float], count: int) -> Figures:
    return {"processor_us": said["processor"] / count * 1e6, "memory_mb": said["memory_mb"]}


def _keep(out: Path, found: Figures) -> None:
    """A run that is broken off has still said something."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "everyone.json").write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    (out / "everyone.md").write_text(as_markdown(found), encoding="utf-8")


def as_markdown(found: Figures) -> str:
    """A row for each arm: microseconds a person at each size, and how often the raw arm's."""
    sizes = [str(size) for size in found["sizes"]]
    head = " | ".join(f"{int(size):,}" for size in sizes)
    said = [
        "# Work on everyone, as people grow",
        "",
        "By `python -m benchmarks everyone`. Microseconds a person by the clock; in brackets how often the raw arm's,"
        " in the same minutes.",
        "",
        f"| | {head} |",
        f"|---|{'---|' * len(sizes)}",
    ]
    for arm in ARMS:
        cells = [_cell(found["found"].get(size, {}), arm) for size in sizes]
        said.append(f"| {arm} | {' | '.join(cells)} |")
    loads = [figure["load"] for each in found["found"].values() for figure in each.values()]
    said += ["", f"Load while it ran: {min(loads, default=0):.1f} to {max(loads, default=0):.1f}.", ""]
    return "\n".join(said)


def _cell(figures: Figures, arm: str) -> str:
    if arm not in figures:
        return "-"
    us, over = figures[arm]["us"], figures.get(OVER.get(arm, ""))
    ratio = f" ({us / over['us']:.1f}x)" if over else ""
    memory = f", {figures[arm]['memory_mb']:.0f} MB" if "memory_mb" in figures[arm] else ""
    return f"{us:.1f}{ratio}{memory}"
