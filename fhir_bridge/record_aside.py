"""What a page of a record needs beside its entries, in one query: where the record came from, the cancer story, what
its owner set and said, and how many files they added (benchmarks, G6.2: a page asks the database twice)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from fhir_bridge.own_words import ROWS, OwnWords, own_words_from
from fhir_bridge.record import OwnRecord
from fhir_bridge.record_sources import SOURCES, Standing, source_from, standing_from
from fhir_bridge.record_standing import Source

_ASIDE = text(
    f"""
    SELECT 'source' AS tag, person_id, provider_id, id, state, started_at, finished_at, brought_at, wrapped,
           CASE WHEN :stories THEN story END AS story, types, NULL::bytea AS sealed, NULL::timestamptz AS at
    FROM ({SOURCES}) came
    UNION ALL
    SELECT 'own', person_id, NULL, id, NULL, NULL, NULL, NULL, wrapped, NULL, NULL, sealed, at FROM ({ROWS}) said
    UNION ALL
    SELECT 'added', NULL, NULL, NULL, count(*)::text, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM added_file WHERE person_id = ANY (:persons)
    """  # noqa: S608  # both are constants of this room
)


@dataclass(frozen=True)
class Aside:
    """`standing` has no stories unless they were asked for; `added` counts files."""

    standing: Standing
    own: OwnWords
    added: int

    @property
    def sources(self) -> tuple[Source, ...]:
        return self.standing.sources

    @property
    def several(self) -> bool:
        """Whether the record came from more than one hospital."""
        return len({one.provider_id for one in self.sources}) > 1


def aside(record: OwnRecord, now: datetime, *, stories: bool = False, statements: bool = False) -> Aside:
    """One query; `stories` and `statements` are opened only when asked for."""
    asked = {"persons": list(record.persons), "stories": stories, "statements": statements}
    rows = record.session.execute(_ASIDE, asked).all()
    came = sorted((one for one in rows if one.tag == "source"), key=lambda one: (one.started_at, one.provider_id))
    own = own_words_from(record, [one for one in rows if one.tag == "own"])
    added = sum(int(one.state) for one in rows if one.tag == "added")
    if stories:
        return Aside(standing_from(record, came, now), own, added)
    return Aside(Standing(tuple(source_from(one) for one in came), (), ()), own, added)
