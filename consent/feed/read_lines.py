"""What stores are told, by column and without a `Decision` for each: the compact lines of webhooks, the rows that a
warehouse's COPY takes.

The same as `read_events` and the wire make of it, byte for byte. Keys are looked up as a set, in the order of their
index, and joined by hash, whatever the planner believes of a run that it cannot see: it has no other way for an outer
join, and knows no better way to find what an array lists. Each column comes as one text.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import orjson
from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from consent.coverage import PATIENT_ID
from consent.feed.read_events import CONCERNS, SUBJECT_SYSTEM
from consent.person_identity import alias_place
from consent.store_config import Basis, Kind, Store, Transport
from consent.stores.lines import Lines
from database.keyring import KeyRing, SealBroken

_RUN = "q.position >= :start AND q.position < :stop"
_AT = "q.position = ANY (CAST(:positions AS bigint[]))"
# Of `d`: as `wire.instant` writes it, or as COPY reads it.
AS_INSTANT = "to_char(d.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
AS_STAMP = "d.recorded_at::text"
_RUN_OF_IT = (
    "WITH p AS MATERIALIZED (SELECT position, decision_id FROM position q WHERE {where}),"
    " d AS MATERIALIZED (SELECT d.id AS decision_id, person_id, version, {columns} FROM decision d"
    "  WHERE d.id = ANY (ARRAY(SELECT decision_id FROM p)) AND {concerns})"
)
_DECIDED = "SELECT * FROM p FULL JOIN d USING (decision_id) OFFSET 0"
# Which names of a person reach the store, of `person_alias`.
REACHES = (
    "(CASE WHEN CAST(:system AS text) IS NULL THEN system <> :patient_id ELSE system = :system END)"
    " AND (NOT :some OR coalesce(practice_id, issued_by || '-main') = ANY (CAST(:practices AS text[])))"
)
_NAMES = (
    " a AS MATERIALIZED (SELECT id AS alias, person_id, created_at, system, value_sealed FROM person_alias"  # noqa: S608 - constants of this file; values are bound
    f" WHERE person_id = ANY (ARRAY(SELECT person_id FROM d)) AND {REACHES})"
)
_CODES = (
    " s AS MATERIALIZED (SELECT person_id, subject FROM store_subject WHERE store_id = :store"
    " AND person_id = ANY (ARRAY(SELECT person_id FROM d)))"
)
# The columns that `opened` takes, of rows with these names. Of a store that knows people by names of one system the
# sixth is NULL: it is that.
NAMED_COLUMNS = ", ".join(
    f"string_agg({value}, E'\\n' ORDER BY position, created_at, alias)"
    for value in (
        *("position::text", "version::text", "person_id::text", "alias::text", "encode(value_sealed, 'hex')"),
        *("CASE WHEN CAST(:system AS text) IS NULL THEN to_json(system)::text END", "answer", "recorded"),
    )
)
_GIVEN = (
    "CASE WHEN d.answer = 'yes' THEN (SELECT coalesce('[\"' || string_agg(DISTINCT c COLLATE \"C\", '\",\"') || '\"]',"
    " '[]') FROM unnest(d.categories) c) ELSE '[]' END AS given"
)
_CODED_LINE = (
    '\',"position":\' || position || \',"subject":{{"system":"{system}","value":\' || to_json(subject)'
    ' || \'}},"version":\' || version || \',"choice":"donation","effort":\' || to_json(CAST(:effort AS text))'
    ' || \',"answer":"\' || answer || \'","categories":\' || given || \',"recorded":"\' || recorded || \'"}}\''
)
_GIVERS = text(
    "SELECT DISTINCT d.person_id FROM position q CROSS JOIN LATERAL (SELECT person_id, effort_id, answer, choice,"  # noqa: S608 - constants of this file; values are bound
    f"  starts_at, recorded_at FROM decision WHERE id = q.decision_id OFFSET 0) d WHERE {_RUN}"
    f" AND d.effort_id = :effort AND d.answer = 'yes' AND {CONCERNS}"
    " AND NOT EXISTS (SELECT FROM store_subject s WHERE s.store_id = :store AND s.person_id = d.person_id)"
)
_NEW_CODE = text(
    "INSERT INTO store_subject (store_id, person_id, subject, created_at) VALUES (:store, :person, :subject, :now)"
    " ON CONFLICT (store_id, person_id) DO NOTHING"
)
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def is_told_by_lines(store: Store) -> bool:
    """Whether a delivery to this store is one body of lines or of rows; streams send theirs one by one."""
    return store.transport is Transport.NDJSON if store.kind is Kind.WEBHOOK else is_told_by_rows(store)


def is_told_by_rows(store: Store) -> bool:
    """Whether what a store is told goes as rows of COPY: a warehouse, which knows people by a hospital's names."""
    return store.kind is Kind.SQL and store.basis is Basis.OPERATIONS


def read_lines(session: Session, ring: KeyRing, store: Store, start: int, stop: int, now: datetime) -> Lines:
    """What `store` is told of the positions `start` up to (not with) `stop`; see `read_events`."""
    bound = {"start": start, "stop": stop, **of_store(store)}
    if store.basis is Basis.DONATION:
        _make_codes(session, store, bound, now)
    return _read(session, ring, store, _RUN, bound)


def read_lines_at(session: Session, ring: KeyRing, store: Store, positions: Sequence[int]) -> Lines:
    """The same of single positions that were told before: their codes are made."""
    listed = "{" + ",".join(map(str, sorted(set(positions)))) + "}"
    return _read(session, ring, store, _AT, {"positions": listed, **of_store(store)})


def of_store(store: Store) -> dict[str, Any]:
    """What the statements of this file are bound to, of one store."""
    bound: dict[str, Any] = {"basis": store.basis.value, "effort": store.effort, "via": store.via_cancerlinq}
    if store.basis is Basis.DONATION:
        return {**bound, "store": store.id}
    named = {"system": store.identifier_system, "patient_id": PATIENT_ID}
    return {**bound, **named, "some": bool(store.practices), "practices": sorted(store.practices)}


def _read(session: Session, ring: KeyRing, store: Store, where: str, bound: Mapping[str, Any]) -> Lines:
    if store.basis is Basis.DONATION:
        told = session.execute(_coded(where), bound).one()
        if told[0] is None:
            return Lines.of(())
        positions, versions, persons, rests = (column.split("\n") for column in told)
        return Lines([*map(int, positions)], [*map(int, versions)], persons, [*map(str.encode, rests)])
    return opened(ring, session.execute(_named(where, rows=is_told_by_rows(store)), bound).one(), store)


def opened(ring: KeyRing, columns: Sequence[str | None], store: Store) -> Lines:
    """Lines or rows from NAMED_COLUMNS: the names' seals are opened here."""
    if columns[0] is None:
        return Lines.of(())
    told = [(column or "").split("\n") for column in columns]
    if columns[5] is None:
        told[5] = [orjson.dumps(store.identifier_system).decode()] * len(told[0])
    values = _values(ring, told[3], told[4])
    rests = _rows(values, told) if is_told_by_rows(store) else _lines(values, told)
    return Lines([*map(int, told[0])], [*map(int, told[1])], told[2], rests)


def _values(ring: KeyRing, aliases: Sequence[str], sealed: Sequence[str]) -> list[str]:
    values, opens, unhex = [], ring.open, bytes.fromhex
    for alias, secret in zip(aliases, sealed, strict=True):
        try:
            values.append(opens(unhex(secret), alias_place(alias)).decode())  # type: ignore[arg-type]  # an id as text is written alike
        except (SealBroken, UnicodeDecodeError):
            values.append("")
    return values


def _lines(values: Sequence[str], columns: Sequence[Sequence[str]]) -> list[bytes]:
    json = orjson.dumps
    return [
        (
            f',"position":{position},"subject":{{"system":{system},"value":{json(value).decode()}}},'
            f'"version":{version},"choice":"cancerlinq","effort":null,"answer":"{answer}","categories":[],'
            f'"recorded":"{recorded}"}}'
        ).encode()
        if value
        else b""
        for value, position, version, _, _, _, system, answer, recorded in zip(values, *columns, strict=True)
    ]


def _rows(values: Sequence[str], columns: Sequence[Sequence[str]]) -> list[bytes]:
    """After the number: the columns of `warehouse_tables.COLUMNS`."""
    systems = {system: escaped(orjson.loads(system)) for system in set(columns[5])}
    return [
        (
            f"\t{systems[system]}\t{escaped(value)}\tcancerlinq\t\t{answer}\t{{}}\t{version}\t{position}\t{recorded}\n"
        ).encode()
        if value
        else b""
        for value, position, version, _, _, _, system, answer, recorded in zip(values, *columns, strict=True)
    ]


def escaped(value: str) -> str:
    """A value as the text format of COPY spells it (PostgreSQL manual, COPY, File Formats)."""
    return value if value.isprintable() and "\\" not in value else value.translate(_ESCAPES)


@cache
def _named(where: str, *, rows: bool) -> TextClause:
    """For a store that knows people by a hospital's names."""
    run = _RUN_OF_IT.format(
        where=where, columns=f"d.answer, {AS_STAMP if rows else AS_INSTANT} AS recorded", concerns=CONCERNS
    )
    return text(
        f"{run}, {_NAMES} SELECT {NAMED_COLUMNS} FROM (SELECT * FROM (SELECT * FROM ({_DECIDED}) t"  # noqa: S608 - constants of this file; values are bound
        " WHERE version IS NOT NULL OFFSET 0) t FULL JOIN a USING (person_id) OFFSET 0) t WHERE alias IS NOT NULL"
    )


@cache
def _coded(where: str) -> TextClause:
    """For the store of an effort: whole lines under its own codes; an opt-out ends what it feeds."""
    run = _RUN_OF_IT.format(where=where, columns=f"d.answer, {AS_INSTANT} AS recorded, {_GIVEN}", concerns=CONCERNS)
    columns = ", ".join(
        f"string_agg({value}, E'\\n' ORDER BY position)"
        for value in ("position::text", "version::text", "person_id::text", _CODED_LINE.format(system=SUBJECT_SYSTEM))
    )
    return text(
        f"{run}, {_CODES} SELECT {columns} FROM (SELECT * FROM (SELECT * FROM ({_DECIDED}) t"  # noqa: S608 - constants of this file; values are bound
        " WHERE version IS NOT NULL OFFSET 0) t FULL JOIN s USING (person_id) OFFSET 0) t"
        " WHERE subject IS NOT NULL AND version IS NOT NULL"
    )


def _make_codes(session: Session, store: Store, bound: Mapping[str, Any], now: datetime) -> None:
    """A random code for each who gave and has none yet."""
    givers = session.scalars(_GIVERS, bound).all()
    if givers:
        rows = [
            {"store": store.id, "person": person, "subject": secrets.token_hex(12), "now": now} for person in givers
        ]
        session.execute(_NEW_CODE, rows)
