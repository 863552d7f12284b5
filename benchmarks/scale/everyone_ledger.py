"""A ledger in which everyone has a name that opens and a decision about CancerLinQ, filled by sets at any size."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg

from benchmarks.harness.postgres import BenchDatabase
from benchmarks.harness.say import say
from benchmarks.scale.fill import drop_keys, ordered_uuid, random_uuid
from benchmarks.scale.world import SYSTEM
from consent.person_identity import alias_place
from database.keyring import KeyRing

NAMED_AT_ONCE = 200_000
_PEOPLE = (
    "INSERT INTO person (id, language, created_at) SELECT {id}, 'en', now() - interval '300 days'"
    " + i * interval '1 ms' FROM generate_series(1, {people}) i"
)
_NAMES = (
    "COPY person_alias (id, person_id, issued_by, practice_id, system, value_index, value_sealed, created_at)"
    " FROM STDIN"
)
_DECISIONS = (
    "INSERT INTO decision (id, person_id, version, choice, answer, categories, sensitive, actor_kind, actor_account,"
    " means, language, provider_id, confirmed_by_person, asked_at, recorded_at, expires_at, idempotency_key, salt)"
    " SELECT {id}, id, {version}, 'cancerlinq', answer, '{{}}', '{{}}', 'patient', md5('a' || person_no)::uuid, 'web',"
    " 'en', 'riverside', true, at, at, CASE answer WHEN 'yes' THEN now() - interval '1 hour' END,"
    " 'k{version}-' || person_no, sha256(CAST('s{version}-' || person_no AS bytea)) FROM (SELECT *, now()"
    " - interval '9 days' + {version} * interval '1 day' + person_no * interval '8 ms' AS at,"
    " CASE WHEN (person_no + {version}) % 2 = 0 THEN 'yes' ELSE 'no' END AS answer FROM person) p WHERE {where}"
)
_POSITIONS = (
    "INSERT INTO position SELECT row_number() OVER () - 1, id, person_id, version, salt, recorded_at FROM decision"
)


def fill_everyone(database: BenchDatabase, ring: KeyRing, people: int) -> float:
    """Three people of four decide once, the others twice; every yes ran out an hour ago. Seconds it took. Ids are as
    the product makes them: a person's at random, a decision's by its time. The server should run with LOADING."""
    began = time.monotonic()
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        later = drop_keys(connection)
        with _anew(connection, "person"):
            connection.execute(_PEOPLE.format(id=random_uuid("p", "i"), people=people))
        with _anew(connection, "person_alias"):
            _name(connection, ring, people)
        with _anew(connection, "decision"):
            for version, where in ((1, "true"), (2, f"person_no <= {people // 4}")):
                made = ordered_uuid("d", f"(person_no + {version - 1} * {people})")
                connection.execute(_DECISIONS.format(id=made, version=version, where=where))
        with _anew(connection, "position"):
            connection.execute(_POSITIONS)
        say(f"  {people:,} people filled after {time.monotonic() - began:.0f} s")
        for statement in later:
            connection.execute(statement)
        connection.execute("VACUUM (ANALYZE, FREEZE)")
    took = time.monotonic() - began
    say(f"  {people:,} people with their indexes after {took:.0f} s")
    return took


@contextmanager
def _anew(connection: psycopg.Connection[tuple[object, ...]], table: str) -> Iterator[None]:
    """What is put into a table that is empty in the same transaction needs no log."""
    with connection.transaction():
        connection.execute(f"TRUNCATE {table}")
        yield


def _name(connection: psycopg.Connection[tuple[object, ...]], ring: KeyRing, people: int) -> None:
    """A record number for each person, sealed as the product seals it; a few at a time."""
    for first in range(0, people, NAMED_AT_ONCE):
        rows = connection.execute(
            "SELECT md5('n' || person_no)::uuid, id, person_no FROM person WHERE person_no > %s AND person_no <= %s",
            [first, first + NAMED_AT_ONCE],
        ).fetchall()
        lines = [
            _line(ring, UUID(str(alias)), person, record_number(int(str(number)), people))
            for alias, person, number in rows
        ]
        with connection.cursor() as cursor, cursor.copy(_NAMES) as copy:
            copy.write("".join(lines).encode())


def record_number(number: int, people: int) -> str:
    """By which the hospital knows that person of so many."""
    return f"MRN-{number:0{max(7, len(str(people)))}}"


def _line(ring: KeyRing, alias: UUID, person: object, value: str) -> str:
    sealed = ring.seal(value.encode(), alias_place(alias)).hex()
    index = hashlib.sha256(value.encode()).hexdigest()
    return f"{alias}\t{person}\triverside\triverside-main\t{SYSTEM}\t\\\\x{index}\t\\\\x{sealed}\t2026-01-01\n"
