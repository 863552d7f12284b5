"""Keeps what a retrieval brings: versions by content MAC, the manifest, and the entry a person sees now.

Every call is one transaction, so a killed worker leaves whole pages; the next run meets the same MACs and adds
nothing twice.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import delete, text, update
from sqlalchemy.orm import Session

from database.context import Runs
from database.keyring import KeyRing
from database.person_encryption import PersonCipher
from fhir_bridge.named_in_entry import code_of, targets_of, writers_of
from fhir_bridge.reading.dates import date_of
from fhir_bridge.reading.kinds import kind_of
from fhir_bridge.reading.line import sort_date
from fhir_bridge.reading.shape import profiles
from fhir_bridge.reading.standing import is_mistake
from fhir_bridge.retrieve.beside import FILE_TYPE
from fhir_bridge.retrieve.chain import Mark
from fhir_bridge.retrieve.files import FetchedFile
from fhir_bridge.retrieve.page import Received
from fhir_bridge.tables import Retrieval, RetrievalSearch

FILE_KIND = "file"

# Constant statements, whatever the number of rows, and few large parameters: building statements anew cost more than
# running them, and writing lists of bytes as text as much. What has one length stands end to end in one value.
_PAGE = (
    "SELECT page.type, page.kind, page.clinical_date, page.mistake,"
    " substring(CAST(:indexes AS bytea) FROM CAST(page.n * 32 - 31 AS int) FOR 32) AS fhir_id_index,"
    " substring(CAST(:macs AS bytea) FROM CAST(page.n * 32 - 31 AS int) FOR 32) AS content_mac,"
    " substring(CAST(:sealed AS bytea) FROM page.at FOR page.size) AS content_sealed,"
    " CASE WHEN page.coded THEN substring(CAST(:codes AS bytea) FROM CAST(page.n * 32 - 31 AS int) FOR 32) ELSE '' END"
    " AS code_index FROM ROWS FROM (jsonb_to_recordset(CAST(:rows AS jsonb)) AS"
    " (type text, kind text, clinical_date text, mistake boolean, coded boolean, at int, size int))"
    " WITH ORDINALITY AS page (type, kind, clinical_date, mistake, coded, at, size, n)"
)
_VERSIONS = text(
    "INSERT INTO resource_version"  # noqa: S608 - constant
    " (person_id, provider_id, type, fhir_id_index, content_mac, content_sealed, received_at)"
    f" SELECT :person, :provider, type, fhir_id_index, content_mac, content_sealed, :now FROM ({_PAGE}) page"
    " ORDER BY type, fhir_id_index ON CONFLICT DO NOTHING"
)
# A statement of its own: it must see a version that another worker has added meanwhile. LATERAL with LIMIT holds the
# planner to one look into the index for each entry; a join read the whole record for each page.
_ENTRIES = text(
    "WITH kept AS ("  # noqa: S608 - constant
    "INSERT INTO record_entry (id, person_id, provider_id, type, fhir_id_index, kind, clinical_date, mistake,"
    " version_id, retrieval_id, code_index)"
    " SELECT gen_random_uuid(), v.person_id, v.provider_id, v.type, v.fhir_id_index, page.kind, page.clinical_date,"
    f" page.mistake, v.id, :retrieval, page.code_index FROM ({_PAGE}) page"
    " CROSS JOIN LATERAL (SELECT * FROM resource_version r WHERE r.person_id = :person AND r.provider_id = :provider"
    " AND r.type = page.type AND r.fhir_id_index = page.fhir_id_index AND r.content_mac = page.content_mac LIMIT 1) v"
    " ORDER BY v.type, v.fhir_id_index"
    " ON CONFLICT (person_id, provider_id, type, fhir_id_index) DO UPDATE SET kind = excluded.kind,"
    " clinical_date = excluded.clinical_date, mistake = excluded.mistake, version_id = excluded.version_id,"
    " retrieval_id = excluded.retrieval_id, code_index = excluded.code_index RETURNING version_id, type)"
    " INSERT INTO retrieval_manifest (retrieval_id, page, person_id, type, version_ids)"
    " SELECT :retrieval, had.pages + row_number() OVER (), :person, of.type, of.version_ids"
    " FROM (SELECT coalesce(max(page), -1) AS pages FROM retrieval_manifest WHERE retrieval_id = :retrieval) had,"
    " (SELECT type, array_agg(version_id ORDER BY version_id) AS version_ids FROM kept GROUP BY type) of"
)
_PROVENANCE = text(
    "INSERT INTO entry_provenance (person_id, provider_id, target_index, provenance_index)"
    " SELECT :person, :provider, page.target, page.provenance"
    " FROM unnest(CAST(:targets AS bytea[]), CAST(:provenances AS bytea[])) AS page (target, provenance)"
    " ORDER BY page.target, page.provenance ON CONFLICT DO NOTHING"
)
_MARKS = text(
    "INSERT INTO retrieval_search (retrieval_id, search_index, person_id, sealed)"
    " SELECT :retrieval, page.search, :person, page.sealed"
    " FROM unnest(CAST(:searches AS bytea[]), CAST(:sealed AS bytea[])) AS page (search, sealed)"
    " ON CONFLICT (retrieval_id, search_index) DO UPDATE SET sealed = excluded.sealed"
)
MOST_REMEMBERED = 5_000
_NO_CODE = bytes(32)


@dataclass(slots=True)
class _Kept:
    """One thing to keep: its content sealed, the MAC of what was received, and what stands in plain beside it for
    paging and counting."""

    type: str
    index: bytes
    sealed: bytes
    mac: bytes
    kind: str
    date: str
    mistake: bool
    code: bytes | None = None


@dataclass(frozen=True)
class Sealed:
    """Resources ready to be written: nothing is left to be done but by the database."""

    things: list[_Kept]
    spoken_of: list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Keeper:
    """Writes one retrieval of one person, in transactions in that person's context."""

    ring: KeyRing
    cipher: PersonCipher
    retrieval: UUID
    provider_id: str

    def sealed(self, received: Sequence[Received]) -> Sealed:
        """Read and seal resources, of one page or several. Needs no session, so that it is done while others are being
        written; by one thread at a time."""
        spoken_of = [
            (self._index_of(target), self._index_of(speaking))
            for one in received
            if one.type == "Provenance"
            for target in targets_of(one.resource)
            for speaking in (f"Provenance/{one.id}", *writers_of(one.resource))
        ]
        return Sealed([self._of(one) for one in received], spoken_of)

    def keep_sealed(self, transaction: Runs, pages: Iterable[Sealed], now: datetime) -> None:
        """Keep pages: new versions, the manifest, the current entries, who wrote what."""
        pages = [page for page in pages if page.things]
        if not pages:
            return
        self._keep((one for page in pages for one in page.things), transaction, now)
        spoken_of = [one for page in pages for one in page.spoken_of]
        if spoken_of:
            targets, provenances = zip(*spoken_of, strict=True)
            transaction.execute(
                _PROVENANCE, self.own | {"targets": list(targets), "provenances": list(provenances)}
            )  # fmt: skip

    def keep_page(self, transaction: Runs, received: Sequence[Received], now: datetime) -> None:
        """Seal and keep resources at once."""
        self.keep_sealed(transaction, [self.sealed(received)], now)

    def keep_file(self, transaction: Runs, file: FetchedFile, now: datetime) -> None:
        """Keep an attached file (or why it is missing) under its address; it has no page of its own."""
        content = orjson.dumps(
            {
                "resourceType": FILE_TYPE,
                "contentType": file.content_type,
                "data": base64.b64encode(file.body).decode() if file.body is not None else None,
                "missing": file.missing,
                "problems": file.problems,
                "owner": file.link.owner,
            }
        )
        index = self.fhir_index(FILE_TYPE, file.link.url)
        self._keep([self._sealed(FILE_TYPE, index, content, FILE_KIND, "", False)], transaction, now)

    def keep_marks(self, transaction: Runs, marks: Iterable[Mark]) -> None:
        """Keep how far searches are; of the same search the last counts."""
        newest = {mark.query: mark for mark in marks}
        rows = {
            "searches": [self._search_index(query) for query in newest],
            "sealed": [self.cipher.seal(orjson.dumps(mark), self._mark_place) for mark in newest.values()],
        }
        transaction.execute(_MARKS, rows | {"retrieval": self.retrieval, "person": self.cipher.person})

    def opened_mark(self, sealed: bytes) -> bytes:
        """A mark as it was kept."""
        return self.cipher.open(sealed, self._mark_place)

    def finish(self, session: Session, state: str, now: datetime) -> None:
        session.execute(update(Retrieval).where(Retrieval.id == self.retrieval).values(state=state, finished_at=now))
        session.execute(delete(RetrievalSearch).where(RetrievalSearch.retrieval_id == self.retrieval))

    def fhir_index(self, kind: str, identity: str) -> bytes:
        """The keyed index of a resource's id at this provider."""
        return self._index_of(f"{kind}/{identity}")

    @cached_property
    def _kinds(self) -> dict[bytes, tuple[str, bytes]]:
        return {}

    @cached_property
    def own(self) -> dict[str, Any]:
        return {"person": self.cipher.person, "provider": self.provider_id}

    @cached_property
    def _index_prefix(self) -> str:
        return f"{self.cipher.person}\x00{self.provider_id}\x00"

    @property
    def _mark_place(self) -> str:
        return f"retrieval_search:sealed:{self.retrieval}"

    def _index_of(self, key: str) -> bytes:
        return self.ring.blind_index("fhir-id", self._index_prefix + key)

    def _search_index(self, query: str) -> bytes:
        return self.ring.blind_index("search", f"{self.retrieval}\x00{query}")

    def _of(self, one: Received) -> _Kept:
        kind, code = self._kind_and_code(one)
        when, mistake = sort_date(date_of(one.resource)), is_mistake(one.resource)
        return self._sealed(one.type, self.fhir_index(one.type, one.id), one.raw, kind, when, mistake, code)

    def _sealed(
        self, of: str, index: bytes, content: bytes, kind: str, date: str, mistake: bool, code: bytes | None = None
    ) -> _Kept:  # fmt: skip
        sealed = self.cipher.seal(content, version_place(of, index))
        return _Kept(of, index, sealed, self.ring.content_mac(content), kind, date, mistake, code)

    def _kind_and_code(self, one: Received) -> tuple[str, bytes | None]:
        """What a measurement is and what was measured, read once for each way in which a record writes it."""
        if one.type != "Observation":
            return kind_of(one.resource).value, None
        try:
            written = orjson.dumps([one.resource.get("code"), one.resource.get("category"), profiles(one.resource)])
        except (orjson.JSONEncodeError, RecursionError):
            written = one.raw
        known = self._kinds.get(written)
        if known is None:
            known = kind_of(one.resource).value, code_index(self.ring, self.cipher.person, code_of(one.resource))
            if len(self._kinds) < MOST_REMEMBERED:
                self._kinds[written] = known
        return known

    def _keep(self, things: Iterable[_Kept], transaction: Runs, now: datetime) -> None:
        """New versions, the current entries, and the manifest; of the same thing twice the last counts."""
        page = list({(one.type, one.index): one for one in things}.values())
        at, rows = 1, []
        for one in page:
            rows.append(
                {
                    "type": one.type, "kind": one.kind, "clinical_date": one.date, "mistake": one.mistake,
                    "coded": one.code is not None, "at": at, "size": len(one.sealed),
                }
            )  # fmt: skip
            at += len(one.sealed)
        values = self.own | {
            "rows": orjson.dumps(rows).decode(),
            "indexes": b"".join(one.index for one in page),
            "macs": b"".join(one.mac for one in page),
            "codes": b"".join(one.code or _NO_CODE for one in page),
        }
        transaction.execute(_VERSIONS, values | {"sealed": b"".join(one.sealed for one in page), "now": now})
        transaction.execute(_ENTRIES, values | {"sealed": b"", "retrieval": self.retrieval})


def code_index(ring: KeyRing, person: UUID, code: str) -> bytes:
    """The keyed index of what was measured, for one person: the same test has the same at every provider."""
    return ring.blind_index("code", f"{person}\x00{code}")


def version_place(kind: str, fhir_id_index: bytes) -> str:
    """What binds a version's ciphertext to its row."""
    return f"resource_version:content:{kind}:{fhir_id_index.hex()}"
