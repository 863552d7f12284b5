"""Fill a migrated database with so many people by sets: keys and indexes are dropped first and built after."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import groupby
from typing import Any

import psycopg

from benchmarks.harness.postgres import BenchServer
from benchmarks.harness.say import say
from benchmarks.scale.world import STORES
from consent.feed.run import note_stores, utc_now
from consent.kept_receipts import kept
from consent.receipts import State, StoreReceipt

FILLED = (
    "person", "person_alias", "decision", "position", "audit_event", "store_batch", "receipt", "store_subject",
    "contact_point", "contact_consent",
)  # fmt: skip


def random_uuid(tag: str, number: str) -> str:
    """SQL of an id that looks random (as the product's version 4) but repeats; cheaper than asking for entropy."""
    return f"md5('{tag}' || {number})::uuid"


def ordered_uuid(tag: str, number: str) -> str:
    """SQL of an id that begins with a time in milliseconds (RFC 9562 version 7): the arm that keeps indexes local."""
    return f"(lpad(to_hex(1790000000000 + {number} * 100), 12, '0') || substr(md5('{tag}' || {number}), 13))::uuid"


def _bytes(tag: str, number: str = "person_no") -> str:
    return f"sha256(CAST('{tag}' || {number} AS bytea))"


# From 1 % who donate to one effort, 3 % to another, to half who opted out: by the number, so that a run repeats.
KINDS = """
 SELECT p.id, p.person_no,
  CASE WHEN p.person_no % 100 < 4 THEN 'donation' ELSE 'cancerlinq' END AS choice,
  CASE WHEN p.person_no % 100 = 0 THEN 'living-well' WHEN p.person_no % 100 < 4 THEN 'early-signs' END AS effort_id,
  CASE WHEN p.person_no % 100 < 4 OR p.person_no % 100 > 50 THEN 'yes' ELSE 'no' END AS answer
 FROM person p
"""
AUDIT = "INSERT INTO audit_event (person_id, recorded_at, event, action, outcome, actor_kind, actor_account, detail)"
Ids = Callable[[str, str], str]
COLUMNS = (
    "id, person_id, version, choice, effort_id, answer, categories, sensitive, actor_kind, actor_account, means,"
    " language, text_id, text_version, provider_id, evidence_sealed, confirmed_by_person, asked_at, recorded_at,"
    " idempotency_key, salt"
)


def _decisions(version: int, answer: str, where: str, uuid: Ids) -> str:
    at = f"now() - interval '300 days' + person_no * interval '1 second' / 10 + interval '{version} days'"
    order = f"person_no + {version - 1} * 100000000"
    return (
        f"INSERT INTO decision ({COLUMNS}) SELECT {uuid('d', order)}, id, {version}, choice, effort_id, {answer},"  # noqa: S608 - texts of this file
        " CASE WHEN choice = 'donation' THEN ARRAY['clinical', 'general', 'therapy'] ELSE '{}' END, '{}', 'patient',"
        f" {random_uuid('a', 'person_no')}, 'web', 'en', effort_id, CASE WHEN choice = 'donation' THEN 1 END,"
        f" 'riverside', CASE WHEN choice = 'donation' THEN {_bytes('e')} || {_bytes('f')} END, true, {at}, {at},"
        f" md5('k{version}' || person_no) || '/' || coalesce(effort_id, choice), {_bytes(f's{version}')}"
        f" FROM ({KINDS}) k WHERE {where}"
    )


def statements(people: int, uuid: Ids) -> list[tuple[str, str]]:
    """(table, statement) in order; `uuid` makes the SQL of an id. A table's statements stand together."""
    return [
        (
            "person",
            "INSERT INTO person (id, language, zone, created_at)"  # noqa: S608 - texts of this file
            f" SELECT {uuid('p', 'i')}, 'en', 'America/New_York', now() - interval '300 days' + i * interval '100 ms'"
            f" FROM generate_series(1, {people}) i",
        ),
        (
            "person_alias",
            f"INSERT INTO person_alias SELECT {uuid('n', 'person_no')}, id, 'riverside', 'riverside-main',"  # noqa: S608 - texts of this file
            f" 'urn:oid:2.16.840.1.113883.19.5', {_bytes('i')}, {_bytes('v')} || '\\x00000000000000000000', created_at"
            " FROM person",
        ),
        ("decision", _decisions(1, "answer", "person_no % 100 <> 99", uuid)),
        ("decision", _decisions(2, "CASE answer WHEN 'yes' THEN 'no' ELSE 'yes' END", "person_no % 5 = 1", uuid)),
        (
            "position",
            "INSERT INTO position SELECT row_number() OVER () - 1, id, person_id, version, salt, recorded_at"
            " FROM decision",
        ),
        (
            "audit_event",
            f"{AUDIT} SELECT person_id, recorded_at, 'decision.recorded', 'C', '0', 'patient', actor_account,"  # noqa: S608 - texts of this file
            " jsonb_build_object('choice', choice, 'effort', effort_id, 'answer', answer, 'version', version, 'means',"
            " means) FROM decision",
        ),
        (
            "audit_event",
            f"{AUDIT} SELECT id, created_at, 'choices.read', 'R', '0', 'patient',"  # noqa: S608 - texts of this file
            f" {random_uuid('a', 'person_no')}, '{{}}' FROM person",
        ),
        *_store_statements(),
        *_contact_statements(uuid),
    ]


def _store_statements() -> list[tuple[str, str]]:
    """One operations store has every batch that it would have: what the others would take follows from the bytes per
    event."""
    return [
        (
            "store_batch",
            f"INSERT INTO store_batch SELECT {random_uuid('b', 'number / 1000')}, 'platform', min(number), max(number),"  # noqa: S608 - texts of this file
            " min(position), max(position), array_agg(position ORDER BY position), now(), now(), now()"
            " FROM (SELECT q.position, row_number() OVER (ORDER BY q.position) AS number"
            " FROM position q JOIN decision d ON d.id = q.decision_id WHERE d.choice = 'cancerlinq') n"
            " GROUP BY number / 1000",
        ),
        (
            "store_subject",
            "INSERT INTO store_subject SELECT effort_id, person_id, left(md5(idempotency_key), 24), recorded_at"
            " FROM decision WHERE effort_id IS NOT NULL AND version = 1",
        ),
    ]


def _contact_statements(uuid: Ids) -> list[tuple[str, str]]:
    """Three people of ten gave a number."""
    return [
        (
            "contact_point",
            f"INSERT INTO contact_point SELECT {uuid('c', 'person_no')}, id, 'sms', {_bytes('t')},"  # noqa: S608 - texts of this file
            f" {_bytes('u')} || '\\x00000000', 'en', 'America/New_York', 'confirmed', NULL, NULL, 0, created_at,"
            " created_at FROM person WHERE person_no % 10 < 3",
        ),
        (
            "contact_consent",
            "INSERT INTO contact_consent (contact_point_id, person_id, value_index, topic, answer, means, proof_sealed,"
            " recorded_at) SELECT id, person_id, value_index, 'confirmations', 'yes', 'web', value_index, created_at"
            " FROM contact_point",
        ),
    ]


def fill_receipts(connection: psycopg.Connection[Any]) -> None:
    """The receipts of the newest thousand batches, in the form in which the product keeps them."""
    batches = connection.execute(
        "SELECT id, store_id, first_event, last_event FROM store_batch ORDER BY first_event DESC LIMIT 1000"
    ).fetchall()
    columns = "store_id, batch_id, state, removed, detail, signature, received_at"
    with connection.cursor() as cursor, cursor.copy(f"COPY receipt ({columns}) FROM STDIN") as copy:
        for batch, store, first, last in batches:
            receipts = kept([_receipt(event) for event in range(first, last + 1)])
            values = (store, batch, "applied", receipts.removed, receipts.as_json(), "s" * 44, utc_now())
            copy.write_row(values)


def _receipt(event: int) -> StoreReceipt:
    """One decision of six is a person's second; each receipt has a reference of its own, as random as a kit's."""
    return StoreReceipt(
        event,
        1 + (event % 6 == 0),
        State.APPLIED,
        removed=3,
        stopped=True,
        keeps="suppression-key",
        reference=f"REF-{event * 2_654_435_761 % 2**32:08x}",
        at="2026-11-22T04:17:59Z",
    )


def fill(bench: BenchServer, name: str, people: int, uuid: Ids = random_uuid) -> dict[str, Any]:
    """Make and fill the database `name`; the seconds it took by table. The server should run with LOADING."""
    urls = bench.migrated(name)
    del urls
    database = bench.connect(name)
    note_stores(database.worker, STORES, utc_now())
    took: dict[str, float] = {}
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        later = drop_keys(connection)
        for table, group in groupby(statements(people, uuid), key=lambda item: item[0]):
            began = time.monotonic()
            with connection.transaction():
                connection.execute(f"TRUNCATE {table}")
                for _, statement in group:
                    connection.execute(statement)
            took[table] = time.monotonic() - began
            say(f"  {name}: {table} filled in {took[table]:.1f} s")
            if table == "person":
                connection.execute("ALTER TABLE person ADD CONSTRAINT pk_person PRIMARY KEY (id)")
        fill_receipts(connection)
        began = time.monotonic()
        for statement in later:
            if "pk_person PRIMARY" not in statement:
                connection.execute(statement)
        took["keys"] = time.monotonic() - began
        began = time.monotonic()
        top = connection.execute("SELECT count(*) FROM position").fetchone()
        assert top is not None
        connection.execute("UPDATE store_cursor SET position = %s, event_number = %s", (top[0], top[0]))
        connection.execute("VACUUM (ANALYZE, FREEZE)")
        took["vacuum-analyze"] = time.monotonic() - began
        say(f"  {name}: keys in {took['keys']:.1f} s, vacuum and analyze in {took['vacuum-analyze']:.1f} s")
    return {"people": people, "seconds": {table: round(seconds, 1) for table, seconds in took.items()}}


def drop_keys(connection: psycopg.Connection[Any]) -> list[str]:
    """Drop the filled tables' constraints and indexes; returns the statements that make them again, in order."""
    names = "(" + ", ".join(f"'{table}'::regclass" for table in FILLED) + ")"
    found = connection.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), contype FROM pg_constraint"  # noqa: S608 - texts of this file
        f" WHERE conrelid IN {names} AND contype IN ('p', 'u', 'f') ORDER BY contype = 'f', contype = 'u'"
    ).fetchall()
    plain = connection.execute(
        "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i"  # noqa: S608 - texts of this file
        f" WHERE i.indrelid IN {names} AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)"
    ).fetchall()
    # Foreign keys of rows that were made from each other need no proof; new rows are checked.
    again = [
        f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}{' NOT VALID' if kind == 'f' else ''}"
        for table, name, definition, kind in found
    ]
    for _, index_statement in plain:
        again.append(index_statement)
    others = connection.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"  # noqa: S608 - texts of this file
        f" WHERE confrelid IN {names} AND conrelid NOT IN {names} AND contype = 'f'"
    ).fetchall()
    for table, name, definition in others:
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        again.append(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
    for table, name, _, _ in reversed(found):
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for name, _ in plain:
        connection.execute(f"DROP INDEX {name}")
    return again
