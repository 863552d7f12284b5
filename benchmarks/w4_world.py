"""A million people for W4: each known to one effort's store by a code and to the platform by a record number; a
quarter of them donate. Codes are in random order, as random codes are."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import psycopg

from benchmarks.harness.postgres import BenchDatabase, BenchServer
from benchmarks.scale.world import DONATION, PLATFORM, VIA
from consent.decide.columns import Question
from consent.decide.decider import Decider
from consent.decide.snapshot import Installation
from consent.decision import DataCategory
from consent.may_use import Purpose
from consent.store_config import Store

QUESTION = Question("living-well", DataCategory.CLINICAL, Purpose.RESEARCH)
INSTALLATION = Installation(frozenset({"riverside-main"}), {"riverside": "MA"})
DECISION = (
    "INSERT INTO decision (id, person_id, version, choice, effort_id, answer, categories, sensitive, actor_kind, means,"
    " language, text_id, text_version, confirmed_by_person, asked_at, recorded_at, idempotency_key, salt)"
    # As the product makes ids: the time first, so that what came together lies together in the index.
    " SELECT (lpad(to_hex({version}), 12, '0') || substr(md5('d' || {no} || '-' || {version}), 13))::uuid,"
    " {id}, {version}, 'donation', 'living-well', {answer},"
    " CASE WHEN {answer} = 'yes' THEN ARRAY['clinical', 'general', 'therapy'] ELSE '{{}}'::text[] END, '{{}}',"
    " 'patient', 'web', 'en', 'living-well', 1, true, now(), now(), 'k' || {version}, '\\x00'"
)
POSITION = (
    "INSERT INTO position SELECT (SELECT coalesce(max(position) + 1, 0) FROM position) + row_number() OVER () - 1,"
    " id, person_id, version, salt, now() FROM decision d WHERE NOT EXISTS"
    " (SELECT FROM position q WHERE q.decision_id = d.id)"
)


def code_of(number: int) -> str:
    """The code by which the effort's store knows a person: looks random, repeats from run to run."""
    return hashlib.md5(b"c%d" % number, usedforsecurity=False).hexdigest()[:24]


def stores(count: int = 0) -> tuple[Store, ...]:
    """The scale run's stores, and `count` more of the same effort."""
    return (PLATFORM, DONATION, VIA, *(replace(DONATION, id=f"store-{n}") for n in range(count)))


def fill(server: BenchServer, name: str, people: int) -> BenchDatabase:
    """The database `name` with so many people, by the server's socket, as where a pipeline runs beside its ledger."""
    server.migrated(name)
    database = server.connect(name, by_socket=True)
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        if connection.execute("SELECT count(*) FROM person").fetchone() == (people,):
            return database
        connection.execute(
            "INSERT INTO person (id, language, zone, created_at)"  # noqa: S608 - constants; values are bound
            f" SELECT md5('p' || i)::uuid, 'en', NULL, now() FROM generate_series(1, {people}) i"
        )
        connection.execute(
            "INSERT INTO store_subject SELECT 'living-well', id, left(md5('c' || person_no), 24), now() FROM person"
        )
        connection.execute(
            "INSERT INTO person_alias SELECT md5('n' || person_no)::uuid, id, 'riverside', 'riverside-main',"
            " 'urn:oid:2.16.840.1.113883.19.5', sha256(('a' || person_no)::bytea), '\\x00', now() FROM person"
        )
        connection.execute(
            DECISION.format(no="person_no", id="id", version=1, answer="'yes'") + " FROM person WHERE person_no % 4 = 0"
        )
        connection.execute(POSITION)
        connection.execute("VACUUM ANALYZE")
    return database


def change(database: BenchDatabase, count: int, version: int) -> None:
    """`count` donors decide again (no, then yes, …), already in order."""
    answer = "'no'" if version % 2 == 0 else "'yes'"
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute(
            DECISION.format(no="person_no", id="id", version=version, answer=answer)
            + f" FROM person WHERE person_no % 4 = 0 ORDER BY md5(person_no::text) LIMIT {count}"
        )
        connection.execute(POSITION)


def decider(database: BenchDatabase, server: BenchServer, more_stores: int = 0) -> Decider:
    return Decider(database.worker, server.ring, stores(more_stores), INSTALLATION, lambda: datetime.now(UTC))


def person_id(number: int) -> UUID:
    return UUID(hashlib.md5(b"p%d" % number, usedforsecurity=False).hexdigest())
