"""Deleting a person's copy of their record: every version, what was read from it, what they set, wrote and added, and
every copy."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from fhir_bridge.access.tables import AccessRequest, AddedFile
from fhir_bridge.export.tables import ExportJob, SharedLink
from fhir_bridge.tables import (
    CancerSummaryRow,
    EntryProvenance,
    OwnStatement,
    ReadingChoice,
    RecordEntry,
    ResourceVersion,
    Retrieval,
    RetrievalSearch,
    RetrievalType,
)

ERASED = "erased"


def erase_record(session: Session, persons: Sequence[UUID]) -> None:
    """Delete the copy, in the persons' own context. Choices, their proofs and the audit are other tables and stay.

    What became of a letter goes with the letter. No earlier retrieval counts as one any more, so that whoever comes
    back is brought everything and not what changed since; one under way finds itself over and keeps nothing more. Who
    was let in by a link is let in no more.
    """
    for table in (
        SharedLink, ExportJob, CancerSummaryRow, EntryProvenance, RecordEntry, ResourceVersion, RetrievalSearch,
        OwnStatement, ReadingChoice, AddedFile, AccessRequest,
    ):  # fmt: skip
        session.execute(delete(table).where(table.person_id.in_(persons)))
    session.execute(update(RetrievalType).where(RetrievalType.person_id.in_(persons)).values(notices_sealed=None))
    session.execute(update(Retrieval).where(Retrieval.person_id.in_(persons)).values(state=ERASED))
