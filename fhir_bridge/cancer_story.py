"""The cancer story of one person, made from the entries they have now and kept sealed beside them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import orjson
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from database.person_encryption import PersonCipher
from fhir_bridge.keep_record import version_place
from fhir_bridge.reading.sieve import sifted
from fhir_bridge.reading.summary import story_of
from fhir_bridge.reading.summary_model import CancerSummary
from fhir_bridge.tables import CancerSummaryRow, RecordEntry, ResourceVersion

STORY_TYPES = (
    "Condition", "Observation", "Procedure", "MedicationRequest", "MedicationAdministration", "MedicationDispense",
    "MedicationStatement", "Medication",
)  # fmt: skip
ROWS_AT_ONCE = 500


def keep_summary(session: Session, cipher: PersonCipher, now: datetime) -> CancerSummary:
    """Make the story from the entries a person has now, and keep it sealed. They pass by; none but what is told stays
    in memory."""
    summary = summary_of(session, cipher)
    made_from = session.scalars(
        select(RecordEntry.retrieval_id).where(RecordEntry.person_id == cipher.person).distinct()
    ).all()
    row = {
        "content_sealed": cipher.seal(orjson.dumps(summary.to_json()), f"cancer_summary:content:{cipher.person}"),
        "made_from": list(made_from),
        "made_at": now,
    }
    statement = insert(CancerSummaryRow).values(row | {"person_id": cipher.person})
    session.execute(statement.on_conflict_do_update(index_elements=["person_id"], set_=row))
    return summary


def summary_of(session: Session, cipher: PersonCipher) -> CancerSummary:
    """The story of the entries that this transaction sees; nothing is kept."""
    return story_of(
        sifted(lambda types: opened_entries(session, cipher, tuple(one for one in types if one in STORY_TYPES)))
    )


def opened_entries(session: Session, cipher: PersonCipher, types: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """(type, JSON text) of the person's current entries of some types, opened one at a time."""
    rows = session.execute(
        select(RecordEntry.type, RecordEntry.fhir_id_index, ResourceVersion.content_sealed)
        .join(ResourceVersion, ResourceVersion.id == RecordEntry.version_id)
        .where(RecordEntry.person_id == cipher.person, RecordEntry.type.in_(types))
        .execution_options(yield_per=ROWS_AT_ONCE)
    )
    for kind, index, sealed in rows:
        yield kind, cipher.open(sealed, version_place(kind, index))
