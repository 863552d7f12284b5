"""Reading a person's own record. Every query is narrowed to its owners here; row security stands behind it (SEC-08).

What is not theirs is answered like what does not exist: NotFound. Nothing is opened that is not shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Row, Select, func, select, text, tuple_
from sqlalchemy.orm import Session, aliased

from database.keyring import KeyRing
from database.person_encryption import PersonCipher, unwrap
from fhir_bridge.keep_record import FILE_KIND, Keeper, version_place
from fhir_bridge.reading.kinds import Kind
from fhir_bridge.reading.line import LineView, read_line
from fhir_bridge.reading.same import Folded, folded
from fhir_bridge.reading.shape import key_of
from fhir_bridge.reading.source import WRITER_TYPES
from fhir_bridge.reading.titles import medication_reference
from fhir_bridge.tables import PersonKey, RecordCount, RecordEntry, ResourceVersion
from vocabulary.errors import NotFound
from vocabulary.resource import Resource

PAGE_SIZE = 25
MOST_BESIDE = 500
A_DAY = timedelta(days=1)

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


@dataclass(frozen=True)
class ListedEntry:
    """One line of a list and where it came from."""

    id: UUID
    provider_id: str
    line: LineView


@dataclass(frozen=True)
class EntryPage:
    """A page of a list, newest first. `total` counts the whole kind without `withdrawn`, which the hospital marked as
    mistakes: they stand in the list, struck out. `groups` are the entries with those alike from other hospitals under
    them, wherever in the kind those stand; what stands under an entry of another page is in no group of this one.
    """

    entries: tuple[ListedEntry, ...]
    groups: tuple[Folded[ListedEntry], ...]
    total: int
    withdrawn: int
    has_newer: bool
    has_older: bool


class OwnRecord:
    """The record of `persons` (a person and those linked to them) inside one transaction in their context."""

    def __init__(self, session: Session, ring: KeyRing, persons: Sequence[UUID]) -> None:
        self.session, self.ring, self.persons = session, ring, tuple(persons)
        self._ciphers: dict[UUID, PersonCipher] = {}

    def cipher(self, person: UUID, wrapped: bytes | None) -> PersonCipher:
        """The cipher of one of the owners, unwrapped once."""
        if person not in self.persons:
            raise NotFound("person")
        if person not in self._ciphers:
            self._ciphers[person] = unwrap(self.ring, person, wrapped)
        return self._ciphers[person]

    def entry(self, entry: UUID) -> StoredEntry:
        """One entry; NotFound when there is none or it is somebody else's. Attached files are not entries."""
        row = self.session.execute(self.stored().where(RecordEntry.id == entry)).one_or_none()
        if row is None:
            raise NotFound("entry")
        return self.opened(row)

    def page_of(
        self, kind: Kind, *, older_than: UUID | None = None, newer_than: UUID | None = None, several: bool = False
    ) -> EntryPage:
        """Up to PAGE_SIZE entries of a kind, older or newer than the entry named (keyset paging).

        `several`: the record has several hospitals; what they tell alike is then looked for beyond this page.
        """
        order = tuple_(RecordEntry.clinical_date, RecordEntry.id)
        query = self.stored().where(RecordEntry.kind == kind)
        facts = RecordCount.total - RecordCount.withdrawn
        for name, counted in (("total", facts), ("withdrawn", RecordCount.withdrawn)):
            counting = select(func.coalesce(func.sum(counted), 0)).where(
                self._own(RecordCount), RecordCount.kind == kind
            )
            query = query.add_columns(counting.scalar_subquery().label(name))
        mark = aliased(RecordEntry)
        here = tuple_(mark.clinical_date, mark.id)
        if newer_than is not None:
            query = query.join(mark, mark.id == newer_than).where(self._own(mark), order > here)
            query = query.order_by(RecordEntry.clinical_date, RecordEntry.id)
        else:
            if older_than is not None:
                query = query.join(mark, mark.id == older_than).where(self._own(mark), order < here)
            query = query.order_by(RecordEntry.clinical_date.desc(), RecordEntry.id.desc())
        rows = self.session.execute(query.limit(PAGE_SIZE + 1)).all()
        more, rows = len(rows) > PAGE_SIZE, rows[:PAGE_SIZE]
        if newer_than is not None:
            rows = rows[::-1]
        lines = self._lines([self.opened(row) for row in rows])
        return EntryPage(
            entries=lines,
            groups=self._folded(kind, rows, lines) if several else tuple(folded(lines)),
            total=int(rows[0].total) if rows else 0,
            withdrawn=int(rows[0].withdrawn) if rows else 0,
            has_newer=more if newer_than is not None else older_than is not None,
            has_older=True if newer_than is not None else more,
        )

    def _folded(
        self, kind: Kind, rows: Sequence[Row[Any]], lines: Sequence[ListedEntry]
    ) -> tuple[Folded[ListedEntry], ...]:
        """The page's groups out of everything that can be alike: what is of the same days, one query more.

        Days are compared as they were written and ordered in UTC, so a day before and after is read too.
        """
        if not rows:
            return ()
        here, newest, oldest = {row.id for row in rows}, rows[0].clinical_date, rows[-1].clinical_date
        beside = self.stored().where(
            RecordEntry.kind == kind, RecordEntry.id.not_in(here),
            RecordEntry.clinical_date.between(_moved(oldest, -A_DAY), _moved(newest, A_DAY) + "~" if newest else ""),
        )  # fmt: skip
        order = RecordEntry.clinical_date.desc(), RecordEntry.id.desc()
        others = self.session.execute(beside.order_by(*order).limit(MOST_BESIDE)).all()
        around = [*zip(rows, lines, strict=True)]
        around += zip(others, self._lines([self.opened(row) for row in others]), strict=True)
        around.sort(key=lambda pair: (pair[0].clinical_date, pair[0].id), reverse=True)
        return tuple(group for group in folded([line for _, line in around]) if group.first.id in here)

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

    def _lines(self, entries: list[StoredEntry]) -> tuple[ListedEntry, ...]:
        read = [(entry, entry.resource) for entry in entries]
        wanted = {entry.id: medication_reference(resource) for entry, resource in read}
        keys = {name: key_of(reference).partition("/") for name, reference in wanted.items() if reference}
        found = self.named((entry, keys[entry.id][0], keys[entry.id][2]) for entry, _ in read if entry.id in keys)
        lines = []
        for entry, resource in read:
            kind, _, identity = keys.get(entry.id, ("", "", ""))
            medicine = found.get((entry.person, f"{entry.provider_id}/{kind}", identity))
            lines.append(ListedEntry(entry.id, entry.provider_id, read_line(resource, medicine)))
        return tuple(lines)


def _moved(moment: str, by: timedelta) -> str:
    """The day of a kept clinical date, some days on; an unknown date stays unknown."""
    try:
        return (date.fromisoformat(moment[:10]) + by).isoformat() if moment else ""
    except (ValueError, OverflowError):
        return moment[:10]
