"""Where a record came from and how far it is: each hospital's newest fetch, counts by kind, the cancer story."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select, text

from fhir_bridge.cancer_story import keep_summary, summary_of
from fhir_bridge.keep_record import FILE_KIND, version_place
from fhir_bridge.reading.dates import FhirDate, date_of
from fhir_bridge.reading.kinds import Kind
from fhir_bridge.reading.summary_model import CancerSummary
from fhir_bridge.record import OwnRecord
from fhir_bridge.record_standing import Source, TypeStanding
from fhir_bridge.retrieve.states import State
from fhir_bridge.tables import PersonKey, RetrievalType

# One row a hospital: its newest fetch, and each type as the newest of its last fetches that reached it left it.
SOURCES = """
    SELECT r.person_id, r.provider_id, r.id, r.state, r.started_at, r.finished_at, done.brought_at, k.wrapped,
           s.content_sealed AS story, coalesce(t.types, '[]') AS types
    FROM (SELECT DISTINCT ON (person_id, provider_id) * FROM retrieval WHERE person_id = ANY (:persons)
          ORDER BY person_id, provider_id, started_at DESC, id) r
    JOIN person_key k USING (person_id)
    LEFT JOIN cancer_summary s USING (person_id)
    LEFT JOIN LATERAL (
        SELECT max(q.finished_at) AS brought_at FROM retrieval q
        WHERE q.person_id = r.person_id AND q.provider_id = r.provider_id AND q.state = 'finished') done ON true
    LEFT JOIN LATERAL (
        SELECT json_agg(json_build_array(x.type, x.state, x.count, x.retrieval_id) ORDER BY x.type) AS types
        FROM (SELECT DISTINCT ON (y.type) y.* FROM retrieval_type y
              JOIN (SELECT q.id, q.started_at FROM retrieval q
                    WHERE q.person_id = r.person_id AND q.provider_id = r.provider_id
                    ORDER BY q.started_at DESC LIMIT 6) q ON q.id = y.retrieval_id
              ORDER BY y.type, q.started_at DESC) x) t ON true
    ORDER BY r.started_at, r.provider_id
"""


@dataclass(frozen=True)
class KindCount:
    """How many entries of a kind are kept, and the clinical date of the newest at its own precision.

    `withdrawn`: how many more the hospital marked as mistakes; they are no part of `count` (FHIR-13).
    """

    count: int
    newest: FhirDate | None
    withdrawn: int = 0


@dataclass(frozen=True)
class Remark:
    """What was said about one type at its newest fetch, and what was left out: (type, id, why)."""

    notices: tuple[str, ...]
    dropped: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Standing:
    """The sources of a record and the cancer story, one per person of the owners; `places` are the hospitals that each
    story was made from, in the stories' order."""

    sources: tuple[Source, ...]
    stories: tuple[CancerSummary, ...]
    places: tuple[tuple[str, ...], ...]


def standing(record: OwnRecord, now: datetime) -> Standing:
    """Where the record came from and its cancer story: one query."""
    return standing_from(record, record.session.execute(text(SOURCES), {"persons": list(record.persons)}), now)


def standing_from(record: OwnRecord, rows: Iterable[Any], now: datetime) -> Standing:
    """The same from rows of `SOURCES` that were read already."""
    sources, stories = [], {}
    for row in rows:
        sources.append(source_from(row))
        if row.story is not None and row.person_id not in stories:
            stories[row.person_id] = _story(record, row, now)
    places = tuple(tuple(one.provider_id for one in sources if one.person == person) for person in stories)
    return Standing(tuple(sources), tuple(stories.values()), places)


def sources(record: OwnRecord) -> tuple[Source, ...]:
    """Where the record came from, without opening anything: one query."""
    return tuple(source_from(row) for row in record.session.execute(text(SOURCES), {"persons": list(record.persons)}))


def source_from(row: Any) -> Source:
    types = tuple(TypeStanding(name, State(state), count, UUID(of)) for name, state, count, of in row.types)
    return Source(
        row.person_id, row.provider_id, row.id, row.state, row.started_at, row.finished_at, row.brought_at, types
    )


def _story(record: OwnRecord, row: Any, now: datetime) -> CancerSummary:
    cipher = record.cipher(row.person_id, row.wrapped)
    if record.held_back:
        return summary_of(record.session, cipher)
    try:
        return CancerSummary.from_json(orjson.loads(cipher.open(row.story, f"cancer_summary:content:{row.person_id}")))
    except ValueError:
        return keep_summary(record.session, cipher, now)  # written by an older version of this program


# Of each kind the newest entry that is a fact, by one look into the index; how many there are is counted as they come.
_COUNTS = """
    SELECT c.person_id, c.kind, c.total, c.withdrawn, e.type, e.fhir_id_index, e.content_sealed, k.wrapped
    FROM ({counted}) c
    JOIN person_key k ON k.person_id = c.person_id
    LEFT JOIN LATERAL (
        SELECT n.type, n.fhir_id_index, n.clinical_date, v.content_sealed
        FROM (SELECT * FROM record_entry r WHERE r.person_id = c.person_id AND r.kind = c.kind AND NOT r.mistake
              ORDER BY r.clinical_date DESC, r.id DESC LIMIT 1) n
        CROSS JOIN LATERAL (SELECT * FROM resource_version w WHERE w.id = n.version_id LIMIT 1) v) e ON true
    ORDER BY c.kind, e.clinical_date
    """
_BEFOREHAND = text(
    _COUNTS.format(
        counted="""
        SELECT person_id, kind, CAST(sum(total) AS bigint) AS total, CAST(sum(withdrawn) AS bigint) AS withdrawn
        FROM record_count WHERE person_id = ANY (:persons) AND kind <> :files
        GROUP BY person_id, kind HAVING sum(total) > 0"""
    )
)
_COUNTED_NOW = text(
    _COUNTS.format(
        counted="""
        SELECT person_id, kind, count(*) AS total, count(*) FILTER (WHERE mistake) AS withdrawn
        FROM record_entry WHERE person_id = ANY (:persons) AND kind <> :files GROUP BY person_id, kind"""
    )
)


def counts(record: OwnRecord) -> dict[Kind, KindCount]:
    """How many entries of each kind, and the newest one's date: one query, one entry opened per kind and person."""
    found: dict[Kind, KindCount] = {}
    counted = _COUNTED_NOW if record.held_back else _BEFOREHAND
    for row in record.session.execute(counted, {"persons": list(record.persons), "files": FILE_KIND}):
        kind, newest = Kind(row.kind), None
        if row.content_sealed is not None:
            place = version_place(row.type, row.fhir_id_index)
            raw = record.cipher(row.person_id, row.wrapped).open(row.content_sealed, place)
            newest = date_of(orjson.loads(raw))
        before = found.get(kind, KindCount(0, None))
        count = before.count + row.total - row.withdrawn
        found[kind] = KindCount(count, newest or before.newest, before.withdrawn + row.withdrawn)
    return found


def remarks(record: OwnRecord, found: Sequence[Source]) -> dict[tuple[UUID, str], Remark]:
    """What was said about each type, by (retrieval, type): one query."""
    shown = {one.retrieval for source in found for one in source.types}
    query = (
        select(
            RetrievalType.retrieval_id, RetrievalType.type, RetrievalType.person_id, RetrievalType.notices_sealed,
            PersonKey.wrapped,
        )
        .join(PersonKey, PersonKey.person_id == RetrievalType.person_id)
        .where(
            RetrievalType.person_id.in_(record.persons),
            RetrievalType.retrieval_id.in_(shown),
            RetrievalType.notices_sealed.is_not(None),
        )
    )  # fmt: skip
    said = {}
    for row in record.session.execute(query):
        cipher = record.cipher(row.person_id, row.wrapped)
        place = f"retrieval_type:notices:{row.retrieval_id}:{row.type}"
        kept = orjson.loads(cipher.open(row.notices_sealed, place))
        notices = dict.fromkeys(words for _severity, _code, words, _incomplete in kept["notices"] if words)
        dropped = tuple((kind, identity, why) for kind, identity, why in kept["dropped"])
        said[row.retrieval_id, row.type] = Remark(tuple(notices), dropped)
    return said
