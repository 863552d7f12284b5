"""Keeps what a retrieval brings: versions by content MAC, the manifest, and the entry a person sees now.

Every call is one transaction, so a killed worker leaves whole pages; the next run meets the same MACs and adds
nothing twice.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from sqlalchemy import delete, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from database.keyring import KeyRing
from database.person_encryption import PersonCipher
from fhir_bridge.reading.dates import date_of
from fhir_bridge.reading.kinds import kind_of
from fhir_bridge.reading.line import sort_date
from fhir_bridge.reading.standing import is_mistake
from fhir_bridge.retrieve.files import FetchedFile
from fhir_bridge.retrieve.page import Received
from fhir_bridge.retrieve.run import FILE_TYPE
from fhir_bridge.retrieve.states import State, TypeOutcome
from fhir_bridge.tables import RecordEntry, Retrieval, RetrievalType

FILE_KIND = "file"
COMPLETE = {State.OK, State.EMPTY}

# Two constant statements a page, whatever its length: building them anew for each page cost more than running them.
_VERSIONS = text(
    "INSERT INTO resource_version"
    " (person_id, provider_id, type, fhir_id_index, content_mac, content_sealed, received_at)"
    " SELECT :person, :provider, page.type, page.fhir_id_index, page.content_mac, page.content_sealed, :now"
    " FROM unnest(CAST(:types AS text[]), CAST(:indexes AS bytea[]), CAST(:macs AS bytea[]), CAST(:sealed AS bytea[]))"
    " AS page (type, fhir_id_index, content_mac, content_sealed)"
    " ORDER BY page.type, page.fhir_id_index ON CONFLICT DO NOTHING"
)
# A statement of its own: it must see a version that another worker has added meanwhile. LATERAL with LIMIT holds the
# planner to one look into the index for each entry; a join read the whole record for each page.
_ENTRIES = text(
    "WITH kept AS ("
    "INSERT INTO record_entry (id, person_id, provider_id, type, fhir_id_index, kind, clinical_date, mistake,"
    " version_id, retrieval_id)"
    " SELECT gen_random_uuid(), v.person_id, v.provider_id, v.type, v.fhir_id_index, page.kind, page.clinical_date,"
    " page.mistake, v.id, :retrieval"
    " FROM unnest(CAST(:types AS text[]), CAST(:indexes AS bytea[]), CAST(:macs AS bytea[]), CAST(:kinds AS text[]),"
    " CAST(:dates AS text[]), CAST(:mistakes AS boolean[]))"
    " AS page (type, fhir_id_index, content_mac, kind, clinical_date, mistake)"
    " CROSS JOIN LATERAL (SELECT * FROM resource_version r WHERE r.person_id = :person AND r.provider_id = :provider"
    " AND r.type = page.type AND r.fhir_id_index = page.fhir_id_index AND r.content_mac = page.content_mac LIMIT 1) v"
    " ORDER BY v.type, v.fhir_id_index"
    " ON CONFLICT (person_id, provider_id, type, fhir_id_index) DO UPDATE SET kind = excluded.kind,"
    " clinical_date = excluded.clinical_date, mistake = excluded.mistake, version_id = excluded.version_id,"
    " retrieval_id = excluded.retrieval_id RETURNING version_id)"
    " INSERT INTO retrieval_manifest (retrieval_id, page, person_id, type, version_ids)"
    " SELECT :retrieval, (SELECT count(*) FROM retrieval_manifest WHERE retrieval_id = :retrieval), :person, :of,"
    " array_agg(version_id ORDER BY version_id) FROM kept"
)


@dataclass(frozen=True)
class _Kept:
    """One thing to keep: its content as received, and what stands in plain beside it for paging and counting."""

    type: str
    index: bytes
    content: bytes
    kind: str
    date: str
    mistake: bool


@dataclass(frozen=True)
class Keeper:
    """Writes one retrieval of one person; every method needs a session in that person's context."""

    ring: KeyRing
    cipher: PersonCipher
    retrieval: UUID
    provider_id: str

    def keep_page(self, session: Session, received: list[Received], now: datetime) -> None:
        """Keep one page of resources: new versions, the manifest's page, the current entries."""
        if not received:
            return
        self._keep((self._of(one) for one in received), received[0].type, session, now)

    def keep_file(self, session: Session, file: FetchedFile, now: datetime) -> None:
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
        self._keep([_Kept(FILE_TYPE, index, content, FILE_KIND, "", False)], FILE_TYPE, session, now)

    def keep_outcome(self, session: Session, outcome: TypeOutcome) -> None:
        """Keep how one type fared. Entries of a complete type that were not seen again are no longer shown."""
        notices = {
            "notices": [
                [notice.severity, notice.code, notice.text[:500], notice.incomplete] for notice in outcome.notices
            ],
            "dropped": [[one.type, one.id, one.reason] for one in outcome.dropped[:200]],
            "stopped_by": outcome.stopped_by,
        }
        place = f"retrieval_type:notices:{self.retrieval}:{outcome.type}"
        row = {
            "state": outcome.state.value,
            "count": outcome.count,
            "notices_sealed": self.cipher.seal(orjson.dumps(notices), place),
            "updated_at": outcome.at,
        }
        named = {"retrieval_id": self.retrieval, "type": outcome.type, "person_id": self.cipher.person}
        session.execute(
            insert(RetrievalType)
            .values(row | named)
            .on_conflict_do_update(index_elements=["retrieval_id", "type"], set_=row)
        )
        # A file stays with the entry that names it, which may not have been seen this time.
        if outcome.state in COMPLETE and not outcome.dropped and outcome.type != FILE_TYPE:
            session.execute(
                delete(RecordEntry).where(
                    RecordEntry.person_id == self.cipher.person,
                    RecordEntry.provider_id == self.provider_id,
                    RecordEntry.type == outcome.type,
                    RecordEntry.retrieval_id != self.retrieval,
                )
            )

    def finish(self, session: Session, state: str, now: datetime) -> None:
        session.execute(update(Retrieval).where(Retrieval.id == self.retrieval).values(state=state, finished_at=now))

    def fhir_index(self, kind: str, identity: str) -> bytes:
        """The keyed index of a resource's id at this provider."""
        return self.ring.blind_index("fhir-id", f"{self.cipher.person}\x00{self.provider_id}\x00{kind}/{identity}")

    def _of(self, one: Received) -> _Kept:
        index = self.fhir_index(one.type, one.id)
        when = sort_date(date_of(one.resource))
        return _Kept(one.type, index, one.raw, kind_of(one.resource).value, when, is_mistake(one.resource))

    def _keep(self, things: Iterable[_Kept], of: str, session: Session, now: datetime) -> None:
        """New versions, the current entries, and a page of the manifest; of the same thing twice the last counts."""
        page = list({(one.type, one.index): one for one in things}.values())
        own = {"person": self.cipher.person, "provider": self.provider_id}
        keys = {
            "types": [one.type for one in page],
            "indexes": [one.index for one in page],
            "macs": [self.ring.content_mac(one.content) for one in page],
        }
        sealed = [self.cipher.seal(one.content, version_place(one.type, one.index)) for one in page]
        session.execute(_VERSIONS, own | keys | {"sealed": sealed, "now": now})
        plain = {
            "kinds": [one.kind for one in page],
            "dates": [one.date for one in page],
            "mistakes": [one.mistake for one in page],
        }
        session.execute(_ENTRIES, own | keys | plain | {"retrieval": self.retrieval, "of": of})


def version_place(kind: str, fhir_id_index: bytes) -> str:
    """What binds a version's ciphertext to its row."""
    return f"resource_version:content:{kind}:{fhir_id_index.hex()}"
