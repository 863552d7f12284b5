"""The record as its owner takes it along (DL-01), and asking the hospitals for it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from database.context import as_persons
from database.keyring import KeyRing
from database.unit_of_work import Database
from fhir_bridge.bring_in import RUNNING, WAITING, ask_for_record
from fhir_bridge.connections import ACTIVE
from fhir_bridge.keep_record import FILE_KIND, version_place
from fhir_bridge.record import OwnRecord
from fhir_bridge.smart.context import LaunchRole
from fhir_bridge.tables import Connection, RecordEntry, Retrieval

AT_ONCE = 200
LONGEST_RUN = timedelta(minutes=15)


@dataclass(frozen=True)
class Pinned:
    """What a copy holds: the versions current at one moment, oldest first within their type, and whose they are."""

    persons: tuple[UUID, ...]
    versions: tuple[int, ...]
    retrievals: tuple[UUID, ...]


@dataclass(frozen=True)
class AskedAgain:
    """A retrieval that was asked for and is to be started by a job."""

    person: UUID
    retrieval: UUID
    provider_id: str


def pin(record: OwnRecord) -> Pinned:
    """Name every current entry but files: one query, so what it finds belongs together."""
    rows = record.session.execute(
        select(RecordEntry.version_id, RecordEntry.retrieval_id)
        .where(RecordEntry.person_id.in_(record.persons), RecordEntry.kind != FILE_KIND)
        .order_by(RecordEntry.type, RecordEntry.clinical_date, RecordEntry.id)
    ).all()
    retrievals = dict.fromkeys(row.retrieval_id for row in rows)
    return Pinned(record.persons, tuple(row.version_id for row in rows), tuple(retrievals))


def pinned_contents(
    database: Database, ring: KeyRing, pinned: Pinned, bases: Mapping[str, str]
) -> Iterator[bytes | tuple[str, bytes]]:
    """Each pinned resource as received, with the FHIR base of its provider where that is known.

    Versions never change, so short transactions are enough: a slow reader holds no connection.
    """
    for start in range(0, len(pinned.versions), AT_ONCE):
        wanted = pinned.versions[start : start + AT_ONCE]
        with database.begin(as_persons(*pinned.persons)) as session:
            opened = _contents(OwnRecord(session, ring, pinned.persons), wanted)
        for provider_id, raw in (opened[number] for number in wanted):
            yield (bases[provider_id], raw) if provider_id in bases else raw


# By number, held there by OFFSET: before a new record's statistics are known, the planner would read all of it for each
# part. Whose it is, is asked outside (and by row security inside).
_VERSIONS = text(
    "SELECT v.id, v.person_id, v.provider_id, v.type, v.fhir_id_index, v.content_sealed, k.wrapped"
    " FROM unnest(CAST(:wanted AS bigint[])) AS w (id)"
    " CROSS JOIN LATERAL (SELECT * FROM resource_version r WHERE r.id = w.id OFFSET 0) v"
    " JOIN person_key k ON k.person_id = v.person_id WHERE v.person_id = ANY (:persons)"
)


def _contents(record: OwnRecord, wanted: Sequence[int]) -> dict[int, tuple[str, bytes]]:
    rows = record.session.execute(_VERSIONS, {"wanted": list(wanted), "persons": list(record.persons)})
    return {
        row.id: (
            row.provider_id,
            record.cipher(row.person_id, row.wrapped).open(
                row.content_sealed, version_place(row.type, row.fhir_id_index)
            ),
        )
        for row in rows
    }


def ask_again(session: Session, *, account: UUID, persons: Sequence[UUID], now: datetime) -> list[AskedAgain]:
    """Ask for the record of each active connection of the person's own anew, unless it is being brought in already.

    The connections are locked, so that two presses of the button ask once. The caller defers the jobs in the same
    transaction.
    """
    connections = session.scalars(
        select(Connection)
        .where(
            Connection.person_id.in_(persons),
            or_(Connection.account_id == account, Connection.relation == LaunchRole.SELF.value),
            Connection.state == ACTIVE,
        )
        .order_by(Connection.id)
        .with_for_update()
    ).all()
    busy = set(
        session.scalars(
            select(Retrieval.connection_id).where(
                Retrieval.person_id.in_(persons),
                Retrieval.state.in_((WAITING, RUNNING)),
                Retrieval.started_at > now - LONGEST_RUN,
            )
        )
    )
    asked = []
    for one in connections:
        if one.id not in busy:
            retrieval = ask_for_record(
                session, person=one.person_id, connection=one.id, provider_id=one.provider_id, now=now
            )
            asked.append(AskedAgain(one.person_id, retrieval, one.provider_id))
    return asked
