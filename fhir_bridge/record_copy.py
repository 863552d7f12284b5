"""Which entries a copy of the record holds (DL-01, DL-05), and asking the hospitals for the record again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import orjson
from sqlalchemy import and_, or_, select, text
from sqlalchemy.orm import Session

from database.context import as_persons
from database.keyring import KeyRing
from database.unit_of_work import Database
from fhir_bridge.bring_in import RUNNING, WAITING, ask_for_record
from fhir_bridge.connections import ACTIVE
from fhir_bridge.keep_record import FILE_KIND, version_place
from fhir_bridge.reading.shape import key
from fhir_bridge.record import OwnRecord
from fhir_bridge.smart.context import LaunchRole
from fhir_bridge.tables import Connection, RecordEntry, Retrieval
from vocabulary.resource import Resource

AT_ONCE = 200
MEDICATION = "Medication"
LONGEST_RUN = timedelta(minutes=15)


@dataclass(frozen=True)
class Wanted:
    """What a copy is to hold: these kinds (none named: all), of these days (both inclusive, `YYYY-MM-DD` or empty).

    Entries without a date, and who the person is, belong to every copy: nothing can be read rightly without them.
    """

    kinds: frozenset[str] = frozenset()
    since: str = ""
    until: str = ""

    @property
    def narrows(self) -> bool:
        return bool(self.kinds or self.since or self.until)


EVERYTHING = Wanted()


@dataclass(frozen=True)
class Pinned:
    """What a copy holds: the versions current at one moment and whose they are, by type, oldest first.

    `kinds` and `dates` stand beside `versions`. `medications` are the medicines that orders refer to, for their names
    only; `files` the attached files.
    """

    persons: tuple[UUID, ...]
    versions: tuple[int, ...]
    kinds: tuple[str, ...]
    dates: tuple[str, ...]
    retrievals: tuple[UUID, ...]
    medications: tuple[int, ...]
    files: tuple[int, ...]

    def by_kind(self) -> Pinned:
        """The same versions by kind, newest first."""
        newest = sorted(range(len(self.versions)), key=lambda place: self.dates[place], reverse=True)
        order = sorted(newest, key=lambda place: self.kinds[place])
        return replace(
            self,
            versions=tuple(self.versions[place] for place in order),
            kinds=tuple(self.kinds[place] for place in order),
            dates=tuple(self.dates[place] for place in order),
        )


@dataclass(frozen=True)
class Copied:
    """One entry of a copy: `raw` as received; `base` is the FHIR base of its provider where that is known."""

    provider_id: str
    base: str | None
    type: str
    kind: str
    raw: bytes

    @property
    def resource(self) -> Resource:
        found: Resource = orjson.loads(self.raw)
        return found


@dataclass(frozen=True)
class AskedAgain:
    """A retrieval that was asked for and is to be started by a job."""

    person: UUID
    retrieval: UUID
    provider_id: str


def pin(record: OwnRecord, wanted: Wanted = EVERYTHING) -> Pinned:
    """Name every wanted entry and every file: one query, so what it finds belongs together."""
    entry, dated = RecordEntry, RecordEntry.clinical_date
    chosen = [entry.kind != FILE_KIND]
    if wanted.kinds:
        chosen.append(entry.kind.in_(sorted(wanted.kinds)))
    if wanted.since:
        chosen.append(or_(dated == "", dated >= wanted.since))
    if wanted.until:
        chosen.append(dated < f"{wanted.until}T99")
    rows = record.session.execute(
        select(entry.version_id, entry.retrieval_id, entry.kind, entry.type, dated)
        .where(entry.person_id.in_(record.persons))
        .where(or_(entry.type.in_(("Patient", MEDICATION)), entry.kind == FILE_KIND, and_(*chosen)))
        .order_by(entry.type, dated, entry.id)
    ).all()
    held = [row for row in rows if row.kind != FILE_KIND and _is_wanted(row.type, row.kind, wanted)]
    return Pinned(
        record.persons,
        tuple(row.version_id for row in held),
        tuple(row.kind for row in held),
        tuple(row.clinical_date for row in held),
        tuple(dict.fromkeys(row.retrieval_id for row in held)),
        tuple(row.version_id for row in rows if row.type == MEDICATION),
        tuple(row.version_id for row in rows if row.kind == FILE_KIND),
    )


def _is_wanted(of: str, kind: str, wanted: Wanted) -> bool:
    return of != MEDICATION or not wanted.kinds or kind in wanted.kinds


def copied(database: Database, ring: KeyRing, pinned: Pinned, bases: Mapping[str, str]) -> Iterator[Copied]:
    """Each pinned resource as received.

    Versions never change, so short transactions are enough: a slow reader holds no connection.
    """
    yield from _read(database, ring, pinned.persons, list(zip(pinned.versions, pinned.kinds, strict=True)), bases)


def medications(database: Database, ring: KeyRing, pinned: Pinned) -> dict[tuple[str, str], Resource]:
    """The medicines that orders may refer to, by (provider, `Medication/id`)."""
    numbered = [(number, "") for number in pinned.medications]
    read = ((one.provider_id, one.resource) for one in _read(database, ring, pinned.persons, numbered, {}))
    return {(provider, key(resource)): resource for provider, resource in read}


def attached_files(database: Database, ring: KeyRing, pinned: Pinned) -> Iterator[Resource]:
    """Each attached file as it is kept: `contentType`, `data` in base64 or None when it is `missing`."""
    for one in _read(database, ring, pinned.persons, [(number, FILE_KIND) for number in pinned.files], {}):
        yield one.resource


def _read(
    database: Database, ring: KeyRing, persons: tuple[UUID, ...], numbered: Sequence[tuple[int, str]],
    bases: Mapping[str, str],
) -> Iterator[Copied]:  # fmt: skip
    for start in range(0, len(numbered), AT_ONCE):
        wanted = numbered[start : start + AT_ONCE]
        with database.begin(as_persons(*persons)) as session:
            opened = _contents(OwnRecord(session, ring, persons), [number for number, _kind in wanted])
        for number, kind in wanted:
            provider_id, of, raw = opened[number]
            yield Copied(provider_id, bases.get(provider_id), of, kind, raw)


# By number, held there by OFFSET: before a new record's statistics are known, the planner would read all of it for each
# part. Whose it is, is asked outside (and by row security inside).
_VERSIONS = text(
    "SELECT v.id, v.person_id, v.provider_id, v.type, v.fhir_id_index, v.content_sealed, k.wrapped"
    " FROM unnest(CAST(:wanted AS bigint[])) AS w (id)"
    " CROSS JOIN LATERAL (SELECT * FROM resource_version r WHERE r.id = w.id OFFSET 0) v"
    " JOIN person_key k ON k.person_id = v.person_id WHERE v.person_id = ANY (:persons)"
)


def _contents(record: OwnRecord, wanted: Sequence[int]) -> dict[int, tuple[str, str, bytes]]:
    rows = record.session.execute(_VERSIONS, {"wanted": list(wanted), "persons": list(record.persons)})
    return {
        row.id: (
            row.provider_id,
            row.type,
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
