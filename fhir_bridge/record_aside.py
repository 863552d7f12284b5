"""What a page of a record needs beside its entries, in one query: where the record came from, the cancer story, what
its owner set and said, how many files they added, and the copies they asked for (benchmarks, G6.2: two for a page)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from fhir_bridge.export.jobs import AskedCopy, asked_copy
from fhir_bridge.own_words import ROWS, OwnWords, own_words_from
from fhir_bridge.record import OwnRecord
from fhir_bridge.record_sources import SOURCES, Standing, source_from, standing_from
from fhir_bridge.record_standing import Source

_ROWS = f"""
    SELECT 'source' AS tag, person_id, provider_id, id, state, started_at, finished_at, brought_at, wrapped,
           CASE WHEN :stories THEN story END AS story, types, NULL::bytea AS sealed, NULL::timestamptz AS at
    FROM ({SOURCES}) came
    UNION ALL
    SELECT 'own', person_id, NULL, id, NULL, NULL, NULL, NULL, wrapped, NULL, NULL, sealed, at FROM ({ROWS}) said
    UNION ALL
    SELECT 'added', NULL, NULL, NULL, count(*)::text, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM added_file WHERE person_id = ANY (:persons)
    UNION ALL
    SELECT 'copy', person_id, form, id, state, asked_at, expires_at, NULL, NULL, NULL, detail::json, NULL, NULL
    FROM export_job WHERE :copies AND person_id = ANY (:persons) AND expires_at > :now
    """  # noqa: S608  # both are constants of this room
_ASIDE = text(_ROWS)
BESIDE = f"(SELECT CAST(coalesce(json_agg(a), '[]') AS text) FROM ({_ROWS}) a)"  # noqa: S608  # a constant, as above
"""The same as one column of another statement, whose parameters are `asked_beside`; `aside_from` reads it."""


@dataclass(frozen=True)
class Aside:
    """`standing` has no stories unless they were asked for; `added` counts files; `copies` newest first."""

    standing: Standing
    own: OwnWords
    added: int
    copies: tuple[AskedCopy, ...] = ()

    @property
    def sources(self) -> tuple[Source, ...]:
        return self.standing.sources

    @property
    def several(self) -> bool:
        """Whether the record came from more than one hospital."""
        return len({one.provider_id for one in self.sources}) > 1


def aside(
    record: OwnRecord, now: datetime, *, stories: bool = False, statements: bool = False, copies: bool = False
) -> Aside:
    """One query; `stories` and `statements` are opened, and `copies` read, only when asked for."""
    asked = asked_beside(record, now) | {"stories": stories, "statements": statements, "copies": copies}
    return _read(record, now, record.session.execute(_ASIDE, asked).all(), stories=stories)


def asked_beside(record: OwnRecord, now: datetime) -> dict[str, Any]:
    """What `BESIDE` is asked with: no stories, statements and copies."""
    return {"persons": list(record.persons), "now": now, "stories": False, "statements": False, "copies": False}


def aside_from(record: OwnRecord, now: datetime, told: str) -> Aside:
    """What `BESIDE` brought: a JSON array of rows, bytes as PostgreSQL writes them."""
    rows = [SimpleNamespace(**{name: _value(name, value) for name, value in row.items()}) for row in orjson.loads(told)]
    return _read(record, now, rows, stories=False)


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in ("wrapped", "sealed"):
        return bytes.fromhex(value[2:])
    if name in ("person_id", "id"):
        return UUID(value)
    return datetime.fromisoformat(value) if name.endswith("_at") or name == "at" else value


def _read(record: OwnRecord, now: datetime, rows: Sequence[Any], *, stories: bool) -> Aside:
    came = sorted((one for one in rows if one.tag == "source"), key=lambda one: (one.started_at, one.provider_id))
    own = own_words_from(record, [one for one in rows if one.tag == "own"])
    added = sum(int(one.state) for one in rows if one.tag == "added")
    copies = sorted((_copy(one) for one in rows if one.tag == "copy"), key=lambda one: one.asked_at, reverse=True)
    found = standing_from(record, came, now) if stories else Standing(tuple(source_from(one) for one in came), (), ())
    return Aside(found, own, added, tuple(copies))


def _copy(row: Any) -> AskedCopy:
    return asked_copy(
        row.id, row.person_id, form=row.provider_id, state=row.state, detail=row.types, asked_at=row.started_at,
        expires_at=row.finished_at,
    )  # fmt: skip
