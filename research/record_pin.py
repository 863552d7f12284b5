"""A person's record as it is now, pinned: which versions, from which retrievals, and their contents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from database.person_encryption import PersonCipher
from fhir_bridge.bring_in import RUNNING, WAITING
from fhir_bridge.keep_record import FILE_KIND, version_place
from fhir_bridge.tables import RecordEntry, ResourceVersion, Retrieval
from research.deidentify.delivery import Source

AT_ONCE = 500
LONGEST_RETRIEVAL = timedelta(minutes=15)


@dataclass(frozen=True)
class PinnedRecord:
    """Current resource versions in a fixed order, and the retrievals they were last seen in."""

    person: UUID
    versions: tuple[int, ...]
    retrievals: tuple[UUID, ...]

    def digest(self, *salt: str) -> str:
        """A name for exactly this content for exactly this use; ours alone, it never leaves."""
        named = "\n".join([*salt, *(str(version) for version in self.versions)])
        return hashlib.sha256(named.encode()).hexdigest()


def pin_record(session: Session, person: UUID) -> PinnedRecord:
    """Every current entry of the person but files; in the person's context, one query."""
    rows = session.execute(
        select(RecordEntry.version_id, RecordEntry.retrieval_id)
        .where(RecordEntry.person_id == person, RecordEntry.kind != FILE_KIND)
        .order_by(RecordEntry.version_id)
    ).all()
    retrievals = sorted({row.retrieval_id for row in rows}, key=str)
    return PinnedRecord(person, tuple(row.version_id for row in rows), tuple(retrievals))


def pinned_sources(session: Session, cipher: PersonCipher, pinned: PinnedRecord) -> Iterator[Source]:
    """The pinned contents in order, opened; `source` is the provider."""
    for start in range(0, len(pinned.versions), AT_ONCE):
        wanted = pinned.versions[start : start + AT_ONCE]
        rows = session.execute(
            select(
                ResourceVersion.id, ResourceVersion.provider_id, ResourceVersion.type, ResourceVersion.fhir_id_index,
                ResourceVersion.content_sealed,
            )
            .where(ResourceVersion.person_id == pinned.person, ResourceVersion.id.in_(wanted))
            .order_by(ResourceVersion.id)
        )  # fmt: skip
        for row in rows:
            raw = cipher.open(row.content_sealed, version_place(row.type, row.fhir_id_index))
            yield Source.of(row.provider_id, row.type, raw)


def is_being_retrieved(session: Session, person: UUID, now: datetime) -> bool:
    """Whether the record is just coming in: half of it should not leave."""
    found = session.scalar(
        select(Retrieval.id)
        .where(
            Retrieval.person_id == person,
            Retrieval.state.in_((WAITING, RUNNING)),
            Retrieval.started_at > now - LONGEST_RETRIEVAL,
        )
        .limit(1)
    )
    return found is not None
