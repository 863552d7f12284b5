"""The compact lines of a run of positions, for stores that are told by them: built in the database, named here.

The same as `read_events` and `wire.message` make of it, byte for byte, without a `Decision` for each. Joins are lateral
behind `OFFSET 0`: a run finds its rows by their keys, whatever the planner believes of a range it cannot see.
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
from consent.wire import Line
from database.keyring import KeyRing, SealBroken

_RUN = "q.position >= :start AND q.position < :stop"
_AT = "q.position = ANY (CAST(:positions AS bigint[]))"
_DECIDED = (
    "SELECT q.position, d.* FROM position q CROSS JOIN LATERAL (SELECT person_id, version, choice, effort_id, answer,"
    " categories, starts_at, recorded_at FROM decision WHERE id = q.decision_id OFFSET 0) d"
)
_ALIAS = (
    "SELECT id, created_at, system AS name_system, value_sealed FROM person_alias a WHERE a.person_id = t.person_id"
    " AND (CASE WHEN CAST(:system AS text) IS NULL THEN system <> :patient_id ELSE system = :system END)"
    " AND (NOT :some OR coalesce(practice_id, issued_by || '-main') = ANY (CAST(:practices AS text[]))) OFFSET 0"
)
_CODE = "SELECT subject FROM store_subject s WHERE s.store_id = :store AND s.person_id = t.person_id OFFSET 0"
_HEAD = '\',"position":\' || t.position || \',"subject":{{"system":\' || to_json({system}) || \',"value":\''
_GIVEN = (
    "CASE WHEN t.answer = 'yes' THEN (SELECT coalesce('[\"' || string_agg(DISTINCT c COLLATE \"C\", '\",\"') || '\"]',"
    " '[]') FROM unnest(t.categories) c) ELSE '[]' END"
)
_TAIL = (
    '\'}},"version":\' || t.version || \',"choice":"{choice}","effort":\' || {effort} || \',"answer":"\''
    ' || t.answer || \'","categories":\' || {categories} || \',"recorded":"\''
    " || to_char(t.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') || '\"}}'"
)
_GIVERS = text(
    f"SELECT DISTINCT d.person_id FROM ({_DECIDED} WHERE {_RUN}) d WHERE d.effort_id = :effort AND d.answer = 'yes'"  # noqa: S608 - constants of this file; values are bound
    f" AND {CONCERNS} AND NOT EXISTS (SELECT FROM store_subject s WHERE s.store_id = :store"
    " AND s.person_id = d.person_id)"
)
_NEW_CODE = text(
    "INSERT INTO store_subject (store_id, person_id, subject, created_at) VALUES (:store, :person, :subject, :now)"
    " ON CONFLICT (store_id, person_id) DO NOTHING"
)


def is_told_by_lines(store: Store) -> bool:
    """Whether a delivery to this store is one body of lines; streams send theirs one by one."""
    return store.kind is Kind.WEBHOOK and store.transport is Transport.NDJSON


def read_lines(session: Session, ring: KeyRing, store: Store, start: int, stop: int, now: datetime) -> list[Line]:
    """What `store` is told of the positions `start` up to (not with) `stop`; see `read_events`."""
    bound = {"start": start, "stop": stop, **_of_store(store)}
    if store.basis is Basis.DONATION:
        _make_codes(session, store, bound, now)
    return _read(session, ring, store, _RUN, bound)


def read_lines_at(session: Session, ring: KeyRing, store: Store, positions: Sequence[int]) -> list[Line]:
    """The same of single positions that were told before: their codes are made."""
    listed = "{" + ",".join(map(str, sorted(set(positions)))) + "}"
    return _read(session, ring, store, _AT, {"positions": listed, **_of_store(store)})


def _of_store(store: Store) -> dict[str, Any]:
    bound: dict[str, Any] = {"basis": store.basis.value, "effort": store.effort, "via": store.via_cancerlinq}
    if store.basis is Basis.DONATION:
        return {**bound, "store": store.id}
    named = {"system": store.identifier_system, "patient_id": PATIENT_ID}
    return {**bound, **named, "some": bool(store.practices), "practices": sorted(store.practices)}


def _read(session: Session, ring: KeyRing, store: Store, where: str, bound: Mapping[str, Any]) -> list[Line]:
    if store.basis is Basis.DONATION:
        told = session.execute(_coded(where), bound).all()
        return [Line(position, version, person, rest.encode()) for position, version, person, rest in told]
    lines, opens, json = [], ring.open, orjson.dumps
    for position, version, person, alias, sealed, head, tail in session.execute(_named(where), bound).all():
        try:
            value = json(opens(sealed, alias_place(alias)).decode()).decode()
        except (SealBroken, UnicodeDecodeError):
            lines.append(Line(position, version, person, b""))
        else:
            lines.append(Line(position, version, person, (head + value + tail).encode()))
    return lines


@cache
def _named(where: str) -> TextClause:
    """For a store that knows people by a hospital's names: the seal is opened here, between head and tail."""
    head = _HEAD.format(system="a.name_system")
    tail = _TAIL.format(choice="cancerlinq", effort="'null'", categories="'[]'")
    return text(
        f"SELECT t.position, t.version, t.person_id::text, a.id::text, a.value_sealed, {head}, {tail}"  # noqa: S608 - constants of this file; values are bound
        f" FROM ({_DECIDED} WHERE {where} AND {CONCERNS} OFFSET 0) t CROSS JOIN LATERAL ({_ALIAS}) a"
        " ORDER BY t.position, a.created_at, a.id"
    )


@cache
def _coded(where: str) -> TextClause:
    """For the store of an effort: whole lines under its own codes; an opt-out ends what it feeds."""
    head = _HEAD.format(system=f"CAST('{SUBJECT_SYSTEM}' AS text)")
    tail = _TAIL.format(choice="donation", effort="to_json(CAST(:effort AS text))", categories=_GIVEN)
    return text(
        f"SELECT t.position, t.version, t.person_id::text, {head} || to_json(s.subject) || {tail}"  # noqa: S608 - constants of this file; values are bound
        f" FROM ({_DECIDED} WHERE {where} AND {CONCERNS} OFFSET 0) t CROSS JOIN LATERAL ({_CODE}) s"
        " ORDER BY t.position"
    )


def _make_codes(session: Session, store: Store, bound: Mapping[str, Any], now: datetime) -> None:
    """A random code for each who gave and has none yet."""
    givers = session.scalars(_GIVERS, bound).all()
    if givers:
        rows = [
            {"store": store.id, "person": person, "subject": secrets.token_hex(12), "now": now} for person in givers
        ]
        session.execute(_NEW_CODE, rows)
