"""Reading a record without some of its entries: looked at whole, named, and from then on not there (HIP-15).

PostgreSQL's row security keeps them back (`database.context.hold_back`), whatever asks: lists, one entry, what refers
to it, a copy. Counts and the cancer story, which are made beforehand of everything, are then made of what is left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text

from database.context import hold_back
from fhir_bridge.keep_record import FILE_KIND, Keeper
from fhir_bridge.reading.notes import attachments
from fhir_bridge.record import HELD_BACK, OwnRecord
from fhir_bridge.retrieve.beside import FILE_TYPE
from fhir_bridge.retrieve.paging import absolute
from fhir_bridge.tables import RecordEntry
from vocabulary.resource import Resource

ROWS_AT_ONCE = 500
_STATE = text(
    "SELECT coalesce(md5(string_agg(id::text || version_id, ',' ORDER BY id)), '') FROM record_entry"
    " WHERE person_id = ANY (:persons)"
)
FileName = tuple[UUID, bytes]


@dataclass(frozen=True)
class Looked:
    """One entry: `key` is (provider, type, id); `files` are the attached files that it names."""

    id: UUID
    key: tuple[str, str, str]
    resource: Resource
    files: tuple[FileName, ...]


def state_of(record: OwnRecord) -> str:
    """A name for exactly the entries there are now in the versions shown now."""
    return str(record.session.scalar(_STATE, {"persons": list(record.persons)}))


def each_entry(record: OwnRecord, bases: Mapping[str, str]) -> Iterator[Looked]:
    """Every entry, opened one at a time. `bases`: the providers' FHIR bases, by which files are named."""
    for row in record.session.execute(record.stored().execution_options(yield_per=ROWS_AT_ONCE)):
        stored = record.opened(row)
        resource = stored.resource
        cipher = record.cipher(row.person_id, row.wrapped)
        keeper = Keeper(record.ring, cipher, row.retrieval_id, row.provider_id)
        base = bases.get(row.provider_id)
        named = (absolute(base, one.where) for one in attachments(resource) if one.where and base)
        files = tuple((row.person_id, keeper.fhir_index(FILE_TYPE, url)) for url in named if url)
        yield Looked(row.id, (row.provider_id, row.type, str(resource.get("id"))), resource, files)


def file_entries(record: OwnRecord) -> dict[FileName, UUID]:
    """The entries that are attached files, by the name that an entry knows them by."""
    query = select(RecordEntry.person_id, RecordEntry.fhir_id_index, RecordEntry.id)
    rows = record.session.execute(query.where(RecordEntry.person_id.in_(record.persons), RecordEntry.kind == FILE_KIND))
    return {(row.person_id, bytes(row.fhir_id_index)): row.id for row in rows}


def read_without(record: OwnRecord, entries: Collection[UUID]) -> None:
    """For the rest of the transaction the record is read without these."""
    hold_back(record.session, entries)
    record.session.info[HELD_BACK] = bool(entries)
