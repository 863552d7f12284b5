"""Deleting a person's copy of their record: every version, what was read from it, what they added, and every copy."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from fhir_bridge.access.tables import AddedFile
from fhir_bridge.bring_in import RUNNING, WAITING
from fhir_bridge.export.tables import ExportJob, SharedLink
from fhir_bridge.tables import (
    CancerSummaryRow,
    OwnStatement,
    RecordEntry,
    ResourceVersion,
    Retrieval,
    RetrievalType,
)

ERASED = "erased"


def erase_record(session: Session, persons: Sequence[UUID]) -> None:
    """Delete the copy, in the persons' own context. Choices, their proofs and the audit are other tables and stay.

    A retrieval under way finds itself over and keeps nothing more; who was let in by a link is let in no more.
    """
    for table in (
        SharedLink, ExportJob, CancerSummaryRow, RecordEntry, ResourceVersion, OwnStatement, AddedFile,
    ):  # fmt: skip
        session.execute(delete(table).where(table.person_id.in_(persons)))
    session.execute(update(RetrievalType).where(RetrievalType.person_id.in_(persons)).values(notices_sealed=None))
    waiting = Retrieval.person_id.in_(persons), Retrieval.state.in_((WAITING, RUNNING))
    session.execute(update(Retrieval).where(*waiting).values(state=ERASED))
