"""The ledger of W3: people with a record number each, and their decisions about CancerLinQ."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from uuid import UUID

import psycopg

from benchmarks.harness.postgres import BenchDatabase
from benchmarks.scale.world import SYSTEM
from consent.person_identity import alias_place
from database.keyring import KeyRing


def fill(database: BenchDatabase, ring: KeyRing, changes: int) -> None:
    """Three people of four decide once, the others twice. Decisions stand in the order in which they were made, under
    ids that begin with their time, as the product leaves them; that order is nobody's order of birth."""
    people = changes * 4 // 5
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "INSERT INTO person (id, language, created_at) SELECT md5('p' || i)::uuid, 'en', now()"
            " FROM generate_series(1, %s) i",
            [people],
        )
        _name(connection, ring)
        connection.execute(
            "CREATE TEMPORARY TABLE turn AS SELECT id, person_no, row_number() OVER (ORDER BY md5(id::text)) AS turn"
            " FROM person"
        )
        for version, where in ((1, "true"), (2, f"person_no <= {changes - people}")):
            connection.execute(
                "INSERT INTO decision (id, person_id, version, choice, answer, categories, sensitive, actor_kind,"  # noqa: S608 - numbers of this file
                " actor_account, means, language, provider_id, confirmed_by_person, asked_at, recorded_at,"
                f" idempotency_key, salt) SELECT uuidv7(at - now()), id, {version}, 'cancerlinq',"
                f" CASE WHEN (person_no + {version}) % 2 = 0 THEN 'yes' ELSE 'no' END, '{{}}', '{{}}', 'patient',"
                f" md5('a' || person_no)::uuid, 'web', 'en', 'riverside', true, at, at, 'k{version}-' || person_no,"
                f" sha256(CAST('s{version}-' || person_no AS bytea)) FROM (SELECT *, now() - interval '9 days'"
                f" + {version} * interval '1 day' + turn * interval '1.234 ms' AS at FROM turn) p WHERE {where}"
                " ORDER BY turn"
            )
        connection.execute(
            "INSERT INTO position SELECT row_number() OVER (ORDER BY recorded_at) - 1, id, person_id,"
            " version, salt, recorded_at FROM decision"
        )
        connection.execute("VACUUM ANALYZE")


def _name(connection: psycopg.Connection[tuple[object, ...]], ring: KeyRing) -> None:
    """A record number for each person, sealed as the product seals it."""
    columns = "(id, person_id, issued_by, practice_id, system, value_index, value_sealed, created_at)"
    rows = connection.execute("SELECT md5('n' || person_no)::uuid, id, person_no FROM person").fetchall()
    now = datetime.now(UTC)
    with connection.cursor() as cursor, cursor.copy(f"COPY person_alias {columns} FROM STDIN") as copy:
        for alias, person, number in rows:
            sealed = ring.seal(f"MRN-{number:07}".encode(), alias_place(UUID(str(alias))))
            copy.write_row((alias, person, "riverside", "riverside-main", SYSTEM, secrets.token_bytes(32), sealed, now))
