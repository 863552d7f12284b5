"""What the arms of W3 share: a ledger of changes to CancerLinQ, stores in a process of their own, our senders."""

from __future__ import annotations

import hashlib
import http.client
import logging
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from threading import Thread

import orjson
import psycopg
import structlog

from benchmarks.harness.arms import Outcome
from benchmarks.harness.postgres import SETTINGS, BenchDatabase, BenchServer, bench_server
from benchmarks.scale.world import PLATFORM
from benchmarks.w3_ledger import fill
from consent.feed.read_ahead import ReadAhead
from consent.feed.run import note_stores, utc_now
from consent.feed.sender import Sender, Step
from consent.store_config import Store, Transport
from consent.stores.webhook import WebhookStore
from database.keyring import KeyRing
from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination

STORES = 8
COMPARED = 150
"""How many of the first changes are compared between all arms, the slowest of which do no more."""


@dataclass
class World:
    """A ledger of which the arms tell the positions from `start` on, `changes` of them."""

    database: BenchDatabase
    ring: KeyRing
    stores: list[Store]
    backport: Store
    port: int
    start: int
    changes: int
    small: bool
    http: OutboundClient
    ahead: ReadAhead
    ring_file: Path
    people: int
    others: list[World] = field(default_factory=list)

    def manner(self, store: str, **how: object) -> None:
        """How a store behaves from now on; what it took is forgotten."""
        self.ask(f"/manner/{store}", orjson.dumps(how))

    def count(self, store: str) -> int:
        return int(self.ask(f"/count/{store}"))

    def taken(self, store: str) -> list[tuple[str, int, str, int, float]]:
        """What a store took, in order: value, version, answer, event, and when in milliseconds since 1970."""
        rows = [line.split() for line in self.ask(f"/taken/{store}").decode().splitlines()]
        return [(row[0], int(row[1]), row[2], int(row[3]), float(row[4])) for row in rows]

    def ask(self, path: str, body: bytes = b"") -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", path, body)
            return connection.getresponse().read()
        finally:
            connection.close()

    def sender(self, store: Store) -> Sender:
        adapter = WebhookStore(store, self.http, utc_now)
        return Sender(self.database.worker, self.ring, adapter, utc_now, ahead=self.ahead)

    @cached_property
    def expected(self) -> list[tuple[str, int, str]]:
        """The first changes as they must arrive, straight from the tables."""
        return self.told_at(self.start, COMPARED)

    @property
    def expected_outcome(self) -> Outcome:
        """Of an arm that was compared with the tables by itself."""
        return Outcome(len(self.expected), digest(self.expected), {})

    def told_at(self, start: int, count: int) -> list[tuple[str, int, str]]:
        with psycopg.connect(self.database.superuser_url) as connection:
            return connection.execute(
                "SELECT 'MRN-' || lpad(p.person_no::text, 7, '0'), d.version, d.answer FROM position q"
                " JOIN decision d ON d.id = q.decision_id JOIN person p ON p.id = d.person_id"
                " WHERE q.position >= %s AND q.position < %s ORDER BY q.position",
                [start, start + count],
            ).fetchall()

    def outcome(self, store: str, count: int, seconds: float, *, ordered: bool = True, **more: float) -> Outcome:
        """The outcome of an arm that told this store `count` changes; refused when it lost or altered one."""
        taken = self.taken(store)
        assert len(taken) == count, f"{store} took {len(taken)} of {count}"
        assert not ordered or in_order(taken), f"{store} took a person's versions out of order"
        known = set(self.expected)
        told = [row[:3] for row in taken if row[:3] in known]
        return Outcome(len(told), digest(told), {"per_second": count / seconds, **more})

    @property
    def few(self) -> World:
        """Another one with a hundredth of the people."""
        return self.others[0]

    @property
    def filling(self) -> World:
        """Another one, from which stores are filled from the beginning."""
        return self.others[1]

    @property
    def ending(self) -> World:
        """Another one, in which everyone's yes ends."""
        return self.others[2]

    @property
    def fhir_base(self) -> str:
        return f"http://127.0.0.1:{self.port}/r/fhir"

    @cached_property
    def standing(self) -> set[tuple[str, int, str]]:
        """What stands of everyone: value, version, answer."""
        return {(value, version, answer) for _, value, version, answer in self.answers(1, self.people)}

    def top(self) -> int:
        with psycopg.connect(self.database.superuser_url) as connection:
            row = connection.execute("SELECT max(position) + 1 FROM position").fetchone()
            return int(row[0]) if row else 0

    def answers(self, first: int, count: int) -> list[tuple[object, str, int, str]]:
        """Person, name, newest version and answer of `count` people from `first` on."""
        with psycopg.connect(self.database.superuser_url) as connection:
            return connection.execute(
                "SELECT DISTINCT ON (p.id) p.id, 'MRN-' || lpad(p.person_no::text, 7, '0'), d.version, d.answer"
                " FROM person p JOIN decision d ON d.person_id = p.id WHERE person_no >= %s AND person_no < %s"
                " ORDER BY p.id, d.version DESC",
                [first, first + count],
            ).fetchall()

    def forget_from(self, position: int) -> None:
        """As if nothing had been decided since `position`, for the arms that come after."""
        with psycopg.connect(self.database.superuser_url, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(
                "WITH gone AS (DELETE FROM position WHERE position >= %s RETURNING decision_id)"
                " DELETE FROM decision WHERE id IN (SELECT decision_id FROM gone)",
                [position],
            )

    def at_position(self, stores: Sequence[Store], position: int) -> None:
        """As if these stores had been told all below `position`."""
        with psycopg.connect(self.database.superuser_url, autocommit=True) as connection:
            connection.execute(
                "UPDATE store_cursor SET position = %s WHERE store_id = ANY (%s)",
                [position, [store.id for store in stores]],
            )

    def at_start(self, stores: Sequence[Store], changes: int | None = None, **how: object) -> None:
        """As if these stores had been told all but the last `changes`; they behave like `how` from now on."""
        position = self.start + self.changes - (self.changes if changes is None else changes)
        ids = [store.id for store in stores]
        for store in stores:
            self.manner(store.id, **how)
        with psycopg.connect(self.database.superuser_url, autocommit=True) as connection:
            connection.execute("DELETE FROM receipt WHERE store_id = ANY (%s)", [ids])
            connection.execute("DELETE FROM store_batch WHERE store_id = ANY (%s)", [ids])
            connection.execute(
                "UPDATE store_cursor SET position = %s, event_number = %s, failures = 0, next_try_at = NULL"
                " WHERE store_id = ANY (%s)",
                [position, position, ids],
            )


def drain(sender: Sender) -> None:
    """Step until all is told, as the feed's own loop does."""
    while sender.step(onward=True) in (Step.SENT, Step.MOVED):
        pass


def drain_all(world: World, stores: Sequence[Store]) -> float:
    """Seconds until every one of the stores was told all, a thread for each as in the feed's process."""
    threads = [Thread(target=drain, args=(world.sender(store),)) for store in stores]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def digest(told: Sequence[tuple[str, int, str]]) -> str:
    """Of the first changes, as a set: arms that work in parallel have no one order."""
    lines = sorted(f"{value} {version} {answer}" for value, version, answer in told)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def in_order(taken: Sequence[tuple[str, int, str, int, float]]) -> bool:
    """Whether each person's versions came in order."""
    last: dict[str, int] = {}
    for value, version, _, _, _ in taken:
        if last.get(value, 0) >= version:
            return False
        last[value] = version
    return True


@contextmanager
def receiver() -> Iterator[int]:
    """The port of the stores' process, ended after."""
    argv = [sys.executable, "-m", "benchmarks.w3_receiver"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate(timeout=30)


@contextmanager
def world(small: bool) -> Iterator[World]:
    """A million people, the last 150,000 of whose changes are told; small: 3,000 changes, and all of them."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    ledger, told = (3_000, 3_000) if small else (1_250_000, 150_000)
    with (
        bench_server(SETTINGS) as server,
        receiver() as port,
        made(server, "w3", ledger, told, port, small) as shared,
        made(server, "w3few", ledger // 100 + 1_500, 1_000, port, small) as few,
        made(server, "w3fill", ledger // 10 + 1_200, 1_000, port, small) as filling,
        made(server, "w3end", ledger // 10 + 1_200, 1_000, port, small) as ending,
    ):
        shared.others.extend([few, filling, ending])
        yield shared


@contextmanager
def made(server: BenchServer, name: str, ledger: int, changes: int, port: int, small: bool = False) -> Iterator[World]:
    """The database `name` with `ledger` changes, and the stores at `port`."""
    server.migrated(name)
    database = server.connect(name, pool_size=20)
    address = f"http://127.0.0.1:{port}/s/"
    stores = [replace(PLATFORM, id=f"platform-{n}", endpoint=f"{address}platform-{n}") for n in range(STORES)]
    backport = replace(PLATFORM, id="bundles", endpoint=f"{address}bundles", transport=Transport.BACKPORT)
    addresses = [*(one.endpoint for one in (*stores, backport)), f"http://127.0.0.1:{port}/r/fhir"]
    http = OutboundClient(AllowList([destination(one, private=True) for one in addresses]))
    note_stores(database.worker, [*stores, backport], utc_now())
    fill(database, server.ring, ledger)
    ahead = ReadAhead(database.worker, server.ring, utc_now)
    try:
        yield World(
            database,
            server.ring,
            stores,
            backport,
            port,
            ledger - changes,
            changes,
            small,
            http,
            ahead,
            server.folder / "keys.json",
            ledger * 4 // 5,
        )
    finally:
        ahead.close()
        http.close()
