"""Reading a person's own record. Every query is narrowed to its owners here; row security stands behind it (SEC-08).

What is not theirs is answered like what does not exist: NotFound. Nothing is opened that is not shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Row, Select, select, text
from sqlalchemy.orm import Session

from database.keyring import KeyRing
from database.person_encryption import PersonCipher, unwrap
from fhir_bridge.keep_record import FILE_KIND, Keeper, version_place
from fhir_bridge.reading.source import WRITER_TYPES
from fhir_bridge.tables import PersonKey, RecordEntry, ResourceVersion
from vocabulary.errors import NotFound
from vocabulary.resource import Resource

# Looked for one by one, held there by LATERAL: without provider and type the whole of a long record's index is read,
# and before its statistics are known a join would read the record.
_NAMED = text(
    "WITH wanted AS ("
    " SELECT * FROM unnest(CAST(:people AS uuid[]), CAST(:providers AS text[]), CAST(:types AS text[]),"
    " CAST(:indexes AS bytea[])) AS w (person_id, provider_id, type, fhir_id_index)"
    " UNION SELECT o.person_id, o.provider_id, t.type, o.provenance_index"
    " FROM entry_provenance o, unnest(CAST(:origins AS text[])) AS t (type) WHERE o.person_id = CAST(:person AS uuid)"
    " AND o.provider_id = CAST(:provider AS text) AND o.target_index = CAST(:target AS bytea))"
    " SELECT e.id, e.person_id, e.provider_id, e.type, e.kind, e.fhir_id_index, e.retrieval_id, v.content_sealed,"
    " v.received_at, k.wrapped FROM wanted w"
    " CROSS JOIN LATERAL (SELECT * FROM record_entry r WHERE r.person_id = w.person_id"
    " AND r.provider_id = w.provider_id AND r.type = w.type AND r.fhir_id_index = w.fhir_id_index LIMIT 1) e"
    " CROSS JOIN LATERAL (SELECT * FROM resource_version r WHERE r.id = e.version_id LIMIT 1) v"
    " JOIN person_key k ON k.person_id = e.person_id WHERE w.person_id = ANY (:persons)"
)


HELD_BACK = "held-back"


@dataclass(frozen=True)
class StoredEntry:
    """One entry as it is kept: `raw` is the JSON text as received, from `provider_id`, at `received_at` (UTC)."""

    id: UUID
    person: UUID
    provider_id: str
    retrieval_id: UUID
    kind: str
    received_at: datetime
    raw: bytes

    @property
    def resource(self) -> Resource:
        found: Resource = orjson.loads(self.raw)
        return found


class OwnRecord:
    """The record of `persons` (a person and those linked to them) inside one transaction in their context."""

    def __init__(self, session: Session, ring: KeyRing, persons: Sequence[UUID]) -> None:
        self.session, self.ring, self.persons = session, ring, tuple(persons)
        self._ciphers: dict[UUID, PersonCipher] = {}

    @property
    def held_back(self) -> bool:
        """Whether this transaction reads the record without some of its entries (`record_held_back`): then what was
        counted and summed up beforehand does not hold for it."""
        return bool(self.session.info.get(HELD_BACK))

    def cipher(self, person: UUID, wrapped: bytes | None) -> PersonCipher:
        """The cipher of one of the owners, unwrapped once."""
        if person not in self.persons:
            raise NotFound("person")
        if person not in self._ciphers:
            self._ciphers[person] = unwrap(self.ring, person, wrapped)
        return self._ciphers[person]

    def entry(self, entry: UUID) -> StoredEntry:
        """One entry; NotFound when there is none or it is somebody else's. Attached files are not entries."""
        return self.opened(self.row_of(entry))

    def row_of(self, entry: UUID, *beside: ColumnElement[Any]) -> Row[Any]:
        """The row of one entry with other columns `beside` it, not opened; NotFound as for `entry`."""
        query = self.stored().where(RecordEntry.id == entry).add_columns(*beside)
        row: Row[Any] | None = self.session.execute(query).one_or_none()
        if row is None:
            raise NotFound("entry")
        return row

    def named(
        self, wanted: Iterable[tuple[StoredEntry, str, str]], *, origin_of: StoredEntry | None = None
    ) -> dict[tuple[UUID, str, str], Resource]:
        """Resources of the record by (entry that names them, type, id): the same provider's, the same person's. With
        them what says where `origin_of` came from: its Provenance, and who wrote it.

        One query for all; what is not in the record is left out. Kept by (person, `provider/type`, id).
        """
        indexes = {
            self._index(entry, kind, identity): (entry.person, entry.provider_id, kind, identity)
            for entry, kind, identity in wanted
        }
        if not indexes and origin_of is None:
            return {}
        one = origin_of
        rows = self.session.execute(
            _NAMED,
            {
                "people": [person for person, *_ in indexes.values()],
                "providers": [provider for _, provider, *_ in indexes.values()],
                "types": [kind for *_, kind, _ in indexes.values()],
                "indexes": list(indexes),
                "persons": list(self.persons),
                "person": one.person if one else None,
                "provider": one.provider_id if one else None,
                "target": self._index(one, str(one.resource["resourceType"]), str(one.resource["id"])) if one else None,
                "origins": ["Provenance", *WRITER_TYPES],
            },
        ).all()
        found = {}
        for row in rows:
            resource = self.opened(row).resource
            identity = indexes[row.fhir_id_index][3] if row.fhir_id_index in indexes else str(resource.get("id"))
            found[row.person_id, f"{row.provider_id}/{row.type}", identity] = resource
        return found

    def entry_beside(self, entry: StoredEntry, name: str) -> UUID | None:
        """The entry that the same provider calls `Type/id` in the same person's record, None when there is none."""
        kind, _, identity = name.partition("/")
        query = select(RecordEntry.id).where(
            self._own(RecordEntry), RecordEntry.person_id == entry.person, RecordEntry.provider_id == entry.provider_id,
            RecordEntry.type == kind, RecordEntry.fhir_id_index == self._index(entry, kind, identity),
        )  # fmt: skip
        return self.session.scalar(query)

    def stored(self, *, files: bool = False) -> Select[*tuple[Any, ...]]:
        """The query that every reading of entries starts from: the owners' entries with content and key."""
        query: Select[*tuple[Any, ...]] = (
            select(
                RecordEntry.id, RecordEntry.person_id, RecordEntry.provider_id, RecordEntry.type, RecordEntry.kind,
                RecordEntry.fhir_id_index, RecordEntry.retrieval_id, RecordEntry.clinical_date,
                ResourceVersion.content_sealed, ResourceVersion.received_at, PersonKey.wrapped,
            )
            .join(ResourceVersion, ResourceVersion.id == RecordEntry.version_id)
            .join(PersonKey, PersonKey.person_id == RecordEntry.person_id)
            .where(self._own(RecordEntry))
        )  # fmt: skip
        return query if files else query.where(RecordEntry.kind != FILE_KIND)

    def opened(self, row: Row[Any]) -> StoredEntry:
        """A row of `stored`, decrypted."""
        cipher = self.cipher(row.person_id, row.wrapped)
        raw = cipher.open(row.content_sealed, version_place(row.type, row.fhir_id_index))
        return StoredEntry(
            row.id, row.person_id, row.provider_id, row.retrieval_id, row.kind, row.received_at, raw
        )  # fmt: skip

    def _own(self, entries: Any) -> Any:
        return entries.person_id.in_(self.persons)

    def _index(self, entry: StoredEntry, kind: str, identity: str) -> bytes:
        cipher = self._ciphers[entry.person]
        return Keeper(self.ring, cipher, entry.retrieval_id, entry.provider_id).fhir_index(kind, identity)
