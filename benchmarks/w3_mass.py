"""The arms of W3 that change a decision of everybody at once, and that fill a FHIR server.

What a change of policy means to the ledger is that everyone's yes ends: all of them run out on one day. The product
ends them as a set (`consent/feed/ends.py`), with each row's leaf and its line in the audit; the raw statement has
neither.
"""

from __future__ import annotations

import time
from dataclasses import replace

import orjson
import psycopg

from benchmarks.harness.arms import Outcome
from benchmarks.w3_backfill import begin_anew
from benchmarks.w3_world import World
from consent.backfill.run import backfill
from consent.feed.begin_and_end import EVER
from consent.feed.ends import add_ends
from consent.feed.read_events import numbered, read_standing
from consent.feed.run import utc_now
from consent.store_config import Kind, Store, Transport
from consent.stores.adapters import adapter_for
from consent.stores.fhir_resources import rounds, told
from consent.wire import StoreEvent
from database.context import as_propagation

_ENDED = (
    "SELECT person_id, version FROM decision d WHERE answer = 'yes' AND NOT EXISTS"
    " (SELECT FROM decision t WHERE t.person_id = d.person_id AND t.version > d.version)"
)
HOW_MANY = f"SELECT count(*) FROM ({_ENDED}) e"  # noqa: S608 - constants
_WRITTEN = "SELECT count(*) FROM unsequenced u JOIN decision d ON d.id = u.decision_id WHERE d.answer = 'no'"
RAW = (
    "WITH made AS (INSERT INTO decision (id, person_id, version, choice, answer, categories, sensitive, actor_kind,"  # noqa: S608 - constants
    " means, language, reason, confirmed_by_person, asked_at, recorded_at, idempotency_key, salt)"
    " SELECT uuidv7(), person_id, version + 1, choice, 'no', '{}', '{}', 'system', 'expiry', language,"
    f" 'expired', confirmed_by_person, asked_at, now(), 'expiry-' || id, '\\x00' FROM decision"
    f" WHERE (person_id, version) IN ({_ENDED}) RETURNING id, person_id, version)"
    " INSERT INTO unsequenced (decision_id, person_id, version, leaf) SELECT id, person_id, version, '\\x00' FROM made"
)
AS_BEFORE = (
    "SET session_replication_role = replica",
    "DELETE FROM audit_event WHERE event = 'decision.recorded'",
    "DELETE FROM unsequenced",
    "DELETE FROM decision WHERE means = 'expiry'",
    "UPDATE decision SET expires_at = now() - interval '1 hour' WHERE answer = 'yes' AND expires_at IS NULL",
    "RESET session_replication_role",
    "VACUUM ANALYZE decision, unsequenced, audit_event",
)


def all_end(world: World, _turn: int) -> Outcome:
    """The product's own: every yes ends, with leaf and audit."""
    ending = world.ending
    count = _before(ending)
    began = time.perf_counter()
    made = add_ends(ending.database.worker, EVER, utc_now())
    took = time.perf_counter() - began
    assert made == count, f"{made} of {count} ended"
    return _ended(world, count, took)


def raw_statement(world: World, _turn: int) -> Outcome:
    """One statement that writes the same rows, with no leaf and no audit."""
    count = _before(world.ending)
    with psycopg.connect(world.ending.database.superuser_url, autocommit=True) as connection:
        began = time.perf_counter()
        connection.execute(RAW.encode())
        took = time.perf_counter() - began
    return _ended(world, count, took)


def _before(world: World) -> int:
    """Every yes has run out and nothing of it is written yet; how many people said yes last."""
    with psycopg.connect(world.database.superuser_url, autocommit=True) as connection:
        for statement in AS_BEFORE:
            connection.execute(statement.encode())
        row = connection.execute(HOW_MANY.encode()).fetchone()
        return int(row[0]) if row else 0


def _ended(world: World, count: int, took: float) -> Outcome:
    """What was written is what should be: a no after each yes, and a place in the line of the sequencer."""
    with psycopg.connect(world.ending.database.superuser_url) as connection:
        row = connection.execute(_WRITTEN.encode()).fetchone()
        left = connection.execute(HOW_MANY.encode()).fetchone()
    assert row == (count,), "not everyone's yes ended"
    assert left == (0,), "a yes still stands"
    return replace(world.expected_outcome, figures={"seconds": took, "per_second": count / took})


def filled_fhir(world: World, _turn: int) -> Outcome:
    """The product's backfill of a FHIR server that holds nothing yet: what stands there is read, then told."""
    few, store = world.few, _fhir(world.few)
    begin_anew(few, store)
    few.manner(store.id)
    adapter = adapter_for(store, few.http, utc_now, few.ring)
    began = time.perf_counter()
    done = backfill(few.database.worker, few.ring, adapter, utc_now)
    took = time.perf_counter() - began
    assert done.is_done, done
    held = {row[:3] for row in few.taken(store.id)}
    stands = {row[1:] for row in few.answers(1, few.people)}  # other arms decide here: never as it stood once
    assert held == stands, "the server holds something else"
    return replace(world.expected_outcome, figures={"per_second": len(held) / took})


def built_transactions(world: World, _turn: int) -> Outcome:
    """One core that does nothing but build the transactions of events that it already holds."""
    few, store = world.few, _fhir(world.few)
    events = _standing_events(few, store)
    began = time.perf_counter()
    for part in rounds(store.id, events, store.max_entries):
        orjson.dumps(told(store.id, part, {}))
    took = time.perf_counter() - began
    return replace(world.expected_outcome, figures={"per_second": len(events) / took})


def _fhir(world: World) -> Store:
    return replace(
        world.stores[0], id="fhir", kind=Kind.FHIR, transport=Transport.NATIVE, endpoint=world.fhir_base, secrets=()
    )


def _standing_events(world: World, store: Store) -> list[StoreEvent]:
    top = world.top()
    with world.database.worker.begin(as_propagation()) as session:
        found, _ = read_standing(session, world.ring, store, (0, top), top, utc_now(), most=top, only_no=False)
    return numbered(found, store, 1)
