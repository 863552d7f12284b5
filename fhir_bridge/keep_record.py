"""Keeps what a retrieval brings: versions by content MAC, the manifest, and the entry a person sees now.

Every call is one transaction, so a killed worker leaves whole pages; the next run meets the same MACs and adds
nothing twice.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import orjson
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from database.keyring import KeyRing
from database.person_encryption import PersonCipher
from fhir_bridge.reading.kinds import kind_of
from fhir_bridge.reading.line import read_line
from fhir_bridge.retrieve.files import FetchedFile
from fhir_bridge.retrieve.page import Received
from fhir_bridge.retrieve.states import State, TypeOutcome
from fhir_bridge.tables import RecordEntry, ResourceVersion, Retrieval, RetrievalManifest, RetrievalType

FILE_TYPE = "Binary"
FILE_KIND = "file"
COMPLETE = {State.OK, State.EMPTY}


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
        named = [(one, self.fhir_index(one.type, one.id)) for one in received]
        versions = self._versions(session, [(one.type, index, one.raw) for one, index in named], now)
        entries = []
        for one, index in named:
            line = read_line(one.resource)
            entries.append(
                {
                    "id": uuid4(),
                    "person_id": self.cipher.person,
                    "provider_id": self.provider_id,
                    "type": one.type,
                    "fhir_id_index": index,
                    "kind": kind_of(one.resource).value,
                    "clinical_date": line.sort_date,
                    "version_id": versions[(one.type, index)],
                    "retrieval_id": self.retrieval,
                }
            )
        self._entries(session, entries)
        self._manifest(session, received[0].type, sorted(set(versions.values())))

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
        versions = self._versions(session, [(FILE_TYPE, index, content)], now)
        entry = {
            "id": uuid4(), "person_id": self.cipher.person, "provider_id": self.provider_id, "type": FILE_TYPE,
            "fhir_id_index": index, "kind": FILE_KIND, "clinical_date": "",
            "version_id": versions[(FILE_TYPE, index)], "retrieval_id": self.retrieval,
        }  # fmt: skip
        self._entries(session, [entry])
        self._manifest(session, FILE_TYPE, list(versions.values()))

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
        if outcome.state in COMPLETE and not outcome.dropped:
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

    def _versions(
        self, session: Session, contents: list[tuple[str, bytes, bytes]], now: datetime
    ) -> dict[tuple[str, bytes], int]:
        macs = {(kind, index): self.ring.content_mac(raw) for kind, index, raw in contents}
        rows = [
            {
                "person_id": self.cipher.person,
                "provider_id": self.provider_id,
                "type": kind,
                "fhir_id_index": index,
                "content_mac": macs[(kind, index)],
                "content_sealed": self.cipher.seal(raw, version_place(kind, index)),
                "received_at": now,
            }
            for kind, index, raw in {(kind, index): (kind, index, raw) for kind, index, raw in contents}.values()
        ]
        session.execute(insert(ResourceVersion).values(rows).on_conflict_do_nothing())
        found = session.execute(
            select(
                ResourceVersion.type, ResourceVersion.fhir_id_index, ResourceVersion.content_mac, ResourceVersion.id
            ).where(
                ResourceVersion.person_id == self.cipher.person,
                ResourceVersion.provider_id == self.provider_id,
                ResourceVersion.fhir_id_index.in_({index for _, index in macs}),
            )
        )
        return {(kind, index): number for kind, index, mac, number in found if macs.get((kind, index)) == mac}

    def _entries(self, session: Session, entries: list[dict[str, object]]) -> None:
        last = {(entry["type"], entry["fhir_id_index"]): entry for entry in entries}
        statement = insert(RecordEntry).values(list(last.values()))
        changed = {name: statement.excluded[name] for name in ("kind", "clinical_date", "version_id", "retrieval_id")}
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["person_id", "provider_id", "type", "fhir_id_index"], set_=changed
            )
        )

    def _manifest(self, session: Session, kind: str, versions: list[int]) -> None:
        pages = session.scalar(
            select(func.count()).select_from(RetrievalManifest).where(RetrievalManifest.retrieval_id == self.retrieval)
        )
        session.add(
            RetrievalManifest(
                retrieval_id=self.retrieval,
                page=int(pages or 0),
                person_id=self.cipher.person,
                type=kind,
                version_ids=versions,
            )
        )


def version_place(kind: str, fhir_id_index: bytes) -> str:
    """What binds a version's ciphertext to its row."""
    return f"resource_version:content:{kind}:{fhir_id_index.hex()}"
