"""The arms of W3 that fill a store with what stands: a warehouse beside raw COPY, lines beside an SQL-built loop."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import orjson
import psycopg
import requests

from benchmarks.harness.arms import Outcome
from benchmarks.w3_world import World
from consent.feed.run import note_stores, utc_now
from consent.store_config import Kind, Store, Transport
from consent.stores.warehouse_tables import ddl
from consent.wire_signature import sign
from database.prepare import create_database, with_database

HELD = "SELECT value, version, answer FROM portal_consent_state"
RAW_HELD = "SELECT value, version, answer FROM raw"
STANDING = (
    "FROM person p JOIN LATERAL (SELECT version, answer, recorded_at FROM decision d WHERE d.person_id = p.id"
    " ORDER BY version DESC LIMIT 1) d ON true"
)

# The same in the order of the ledger, as the rows of a backfill come: that in which the decisions stand. Told to sort
# by it PostgreSQL takes half as long again.
LEDGER = (
    "FROM decision d JOIN person p ON p.id = d.person_id WHERE NOT EXISTS (SELECT FROM decision e"
    " WHERE e.person_id = d.person_id AND e.version > d.version)"
)
_BACKWARDS = "SELECT count(*) FROM (SELECT at < lag(at) OVER (ORDER BY ctid) AS back FROM raw) t WHERE back"


def value(people: int) -> str:
    """SQL of the record number of `p`, one of so many people."""
    return f"'MRN-' || lpad(p.person_no::text, {max(7, len(str(people)))}, '0')"


def _raw(people: int, standing: str) -> str:
    return (
        f"COPY (SELECT 'urn:oid:2.16.840.1.113883.19.5', {value(people)}, d.version, d.answer, d.recorded_at"
        f" {standing}) TO STDOUT (FORMAT binary)"
    )


def _lines(people: int) -> str:
    return (
        'SELECT string_agg(format(\'{"event":%%s,"subject":{"value":"%%s"},"version":%%s,"answer":"%%s"}\','
        f" p.person_no, {value(people)}, d.version, d.answer), E'\\n' ORDER BY p.person_no) || E'\\n'"
        f" {STANDING} WHERE p.person_no > %s AND p.person_no <= %s"
    )


def filled_warehouse(world: World, _turn: int) -> Outcome:
    """The product's backfill of an SQL store, names opened and receipts kept."""
    with warehouse(world.filling, "w3house") as (store, url):
        said = fill_apart(world.filling, store)
        outcome = _house_outcome(world, url, HELD, said["seconds"])
        return replace(outcome, figures={**outcome.figures, "memory_mb": said["memory_mb"]})


def raw_copy(world: World, _turn: int) -> Outcome:
    """COPY out of one database into a table with a primary key in another; no names to open, no receipts. The rows come
    in the order of the key, for record numbers count up with people here."""
    with warehouse(world.filling, "w3raw") as (_, url):
        took = copy_raw(world.filling, url)
        return _house_outcome(world, url, RAW_HELD, took)


def raw_in_order(world: World, _turn: int) -> Outcome:
    """The same in the ledger's order, which is nobody's order of birth."""
    with warehouse(world.filling, "w3raw") as (_, url):
        took = copy_raw(world.filling, url, LEDGER)
        with psycopg.connect(url) as connection:
            assert connection.execute(_BACKWARDS.encode()).fetchone() == (0,), "in another order"
        return _house_outcome(world, url, RAW_HELD, took)


def copy_raw(filling: World, url: str, standing: str = STANDING) -> float:
    """Seconds it takes, the commit at the end with it."""
    with psycopg.connect(url, autocommit=True) as target:
        target.execute(
            "CREATE TABLE raw (system text, value text, version int, answer text, at timestamptz,"
            " PRIMARY KEY (system, value))"
        )
    began = time.perf_counter()
    with (
        psycopg.connect(filling.database.superuser_url) as source,
        psycopg.connect(url) as target,
        source.cursor().copy(_raw(filling.people, standing).encode()) as out,
        target.cursor().copy("COPY raw FROM STDIN (FORMAT binary)") as into,
    ):
        for block in out:
            into.write(block)
    return time.perf_counter() - began


def _house_outcome(world: World, url: str, query: str, took: float) -> Outcome:
    with psycopg.connect(url) as connection:
        held = set(connection.execute(query.encode()).fetchall())
    assert held == world.filling.standing, "the warehouse holds something else"
    return replace(world.expected_outcome, figures={"per_second": len(held) / took})


def filled_lines(world: World, _turn: int) -> Outcome:
    """The product's backfill of a webhook of lines, in a process of its own whose memory is looked at."""
    filling = world.filling
    store = filling.stores[0]
    said = fill_apart(filling, store)
    told = {row[:3] for row in filling.taken(store.id)}
    assert told == filling.standing, "the store was told something else"
    figures = {"per_second": len(told) / said["seconds"], "memory_mb": said["memory_mb"]}
    return replace(world.expected_outcome, figures=figures)


def fill_apart(filling: World, store: Store, **how: object) -> dict[str, float]:
    """A backfill in a process of its own, of a store that behaves like `how`: what `w3_filler` says of it."""
    begin_anew(filling, store, **how)
    given = pickle.dumps((filling.database.urls.worker, filling.ring_file, store))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.w3_filler"], input=given, stdout=subprocess.PIPE, check=True
    )
    said: dict[str, float] = orjson.loads(done.stdout)
    return said


def sql_lines(world: World, _turn: int) -> Outcome:
    """Lines built by the database 5,000 at a time and posted signed; no names to open, no receipt read or kept."""
    filling = world.filling
    filling.manner("sql-lines")
    took = post_lines(filling)
    told = {row[:3] for row in filling.taken("sql-lines")}
    assert told == filling.standing, "the store was told something else"
    return replace(world.expected_outcome, figures={"per_second": len(told) / took})


def post_lines(filling: World, at_once: int = 5_000) -> float:
    """Seconds it takes to tell the store `sql-lines` of everyone."""
    session = requests.Session()
    session.trust_env = False
    asked = _lines(filling.people).encode()
    began = time.perf_counter()
    with psycopg.connect(filling.database.superuser_url) as connection:
        for first in range(0, filling.people, at_once):
            row = connection.execute(asked, [first, first + at_once]).fetchone()
            body = str(row[0]).encode() if row else b""
            signed = sign(filling.stores[0].secrets, f"m{first}", body, datetime.now(UTC))
            headers = {**signed, "content-type": "application/x-ndjson"}
            session.post(f"http://127.0.0.1:{filling.port}/s/sql-lines", body, headers=headers, timeout=60)
    return time.perf_counter() - began


def begin_anew(world: World, store: Store, **how: object) -> None:
    """As if the store had been told of one person long ago: it then hears of all that stands."""
    note_stores(world.database.worker, [store], utc_now())
    world.at_start([store], 0, **how)
    world.at_position([store], world.top())
    with psycopg.connect(world.database.superuser_url, autocommit=True) as connection:
        connection.execute("DELETE FROM store_backfill WHERE store_id = %s", [store.id])
        connection.execute("UPDATE store_cursor SET event_number = 1 WHERE store_id = %s", [store.id])


@contextmanager
def warehouse(world: World, name: str) -> Iterator[tuple[Store, str]]:
    """An empty warehouse of its own with our login in it; the URL is its owner's."""
    superuser = world.database.superuser_url
    owner = with_database(superuser, name)
    place = urlsplit(superuser).netloc.rpartition("@")[2]
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}".encode())
        connection.execute(f"DROP ROLE IF EXISTS {name}".encode())
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'hunter2'".encode())
    create_database(superuser, name)
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(ddl(name, name).encode())
        for line in ddl(name, name).splitlines():
            if line.startswith("-- GRANT") and "portal_holds" not in line:
                connection.execute(line.removeprefix("-- ").encode())
    login = f"postgresql://{name}:hunter2@{place}/{name}"
    endpoint = f"postgresql://{place}/{name}"
    store = replace(
        world.stores[0], id=name, kind=Kind.SQL, transport=Transport.NATIVE, endpoint=endpoint, login=login, secrets=()
    )
    yield store, owner
