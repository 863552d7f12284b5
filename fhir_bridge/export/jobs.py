"""Copies that take a while: asked for, made in sealed pieces by a worker, kept for a day (DL-05)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from database.context import as_persons
from database.keyring import KeyRing
from database.unit_of_work import Database
from fhir_bridge.export.tables import ExportJob, ExportPart
from fhir_bridge.person_ciphers import cipher_of
from fhir_bridge.record_copy import Wanted
from vocabulary.errors import NotFound

WAITING, RUNNING, READY = "waiting", "running", "ready"
KEPT = timedelta(hours=24)
PART = 1024 * 1024
MOST = 6


@dataclass(frozen=True)
class AskedCopy:
    """A copy that was asked for: of whom, in which form and language, what of it, and how far it is.

    `apart`: it was asked for by somebody who acts for a minor, and is made without what the minor keeps to themselves.
    """

    id: UUID
    person: UUID
    persons: tuple[UUID, ...]
    form: str
    language: str
    wanted: Wanted
    state: str
    done: int
    total: int
    asked_at: datetime
    expires_at: datetime
    apart: bool = False

    @property
    def percent(self) -> int:
        return min(99, 100 * self.done // self.total) if self.total else 0


def ask(
    session: Session, *, person: UUID, persons: tuple[UUID, ...], form: str, language: str, wanted: Wanted, total: int,
    now: datetime, apart: bool = False,
) -> UUID:  # fmt: skip
    """Note that a copy is to be made; the caller defers the job in the same transaction. Only the newest are kept."""
    job = uuid4()
    detail = {
        "persons": [str(each) for each in persons], "language": language, "kinds": sorted(wanted.kinds),
        "since": wanted.since, "until": wanted.until, "done": 0, "total": total,
        "apart": apart,
    }  # fmt: skip
    session.add(
        ExportJob(
            id=job, person_id=person, form=form, retrieval_ids=[], state=WAITING, content_sealed=None, detail=detail,
            asked_at=now, expires_at=now + KEPT,
        )
    )  # fmt: skip
    session.flush()
    older = select(ExportJob.id).where(ExportJob.person_id == person).order_by(ExportJob.asked_at.desc()).offset(MOST)
    session.execute(delete(ExportJob).where(ExportJob.id.in_(older.scalar_subquery())))
    return job


def copies_of(session: Session, person: UUID, now: datetime) -> list[AskedCopy]:
    """The person's copies that are not over, newest first."""
    query = select(ExportJob).where(ExportJob.person_id == person, ExportJob.expires_at > now)
    return [_read(row) for row in session.scalars(query.order_by(ExportJob.asked_at.desc()))]


def copy_of(session: Session, person: UUID, job: UUID, now: datetime) -> AskedCopy:
    """One copy; NotFound when there is none of that person or its day is over."""
    row = session.get(ExportJob, job)
    if row is None or row.person_id != person or row.expires_at <= now:
        raise NotFound("copy")
    return _read(row)


def start(session: Session, job: UUID, retrievals: tuple[UUID, ...], total: int) -> None:
    """Begin, or begin again after a killed worker: pieces of an earlier try are thrown away."""
    session.execute(delete(ExportPart).where(ExportPart.job_id == job))
    _change(session, job, state=RUNNING, retrieval_ids=list(retrievals), detail=_detail(session, job, 0, total))


def keep(database: Database, ring: KeyRing, asked: AskedCopy, pieces: Iterable[bytes]) -> None:
    """Keep what is made, a megabyte at a time, each in a transaction of its own; then the copy is ready."""
    for number, part in enumerate(_in_parts(pieces)):
        with database.begin(as_persons(*asked.persons)) as session:
            cipher = cipher_of(session, ring, asked.person)
            sealed = cipher.seal(part, _place(asked.id, number))
            session.add(ExportPart(job_id=asked.id, number=number, person_id=asked.person, content_sealed=sealed))
    with database.begin(as_persons(*asked.persons)) as session:
        _change(session, asked.id, state=READY)


def note_progress(database: Database, asked: AskedCopy, done: int, total: int) -> None:
    with database.begin(as_persons(*asked.persons)) as session:
        _change(session, asked.id, detail=_detail(session, asked.id, done, total))


def kept_pieces(database: Database, ring: KeyRing, asked: AskedCopy) -> Iterator[bytes]:
    """The copy as it was made, piece by piece, each read in a transaction of its own."""
    number = 0
    while True:
        with database.begin(as_persons(*asked.persons)) as session:
            sealed = session.scalar(
                select(ExportPart.content_sealed).where(ExportPart.job_id == asked.id, ExportPart.number == number)
            )
            if sealed is None:
                return
            piece = cipher_of(session, ring, asked.person).open(sealed, _place(asked.id, number))
        yield piece
        number += 1


def throw_away(session: Session, person: UUID, job: UUID) -> None:
    session.execute(delete(ExportJob).where(ExportJob.id == job, ExportJob.person_id == person))


def forget_old(session: Session, now: datetime) -> None:
    """Delete copies whose day is over, with their pieces; run by a worker in the propagation role."""
    session.execute(delete(ExportJob).where(ExportJob.expires_at < now))


def _in_parts(pieces: Iterable[bytes]) -> Iterator[bytes]:
    kept = bytearray()
    for piece in pieces:
        kept += piece
        while len(kept) >= PART:
            yield bytes(kept[:PART])
            del kept[:PART]
    if kept:
        yield bytes(kept)


def _change(session: Session, job: UUID, **values: Any) -> None:
    session.execute(update(ExportJob).where(ExportJob.id == job).values(**values))


def _detail(session: Session, job: UUID, done: int, total: int) -> dict[str, Any]:
    row = session.get(ExportJob, job)
    return {**(row.detail if row else {}), "done": done, "total": total}


def _place(job: UUID, number: int) -> str:
    return f"export_part:content:{job}:{number}"


def asked_copy(
    job: UUID, person: UUID, *, form: str, state: str, detail: dict[str, Any], asked_at: datetime, expires_at: datetime
) -> AskedCopy:
    """What a row of `export_job` says."""
    return AskedCopy(
        job, person, tuple(UUID(each) for each in detail["persons"]), form, detail["language"],
        Wanted(frozenset(detail["kinds"]), detail["since"], detail["until"]), state, detail["done"], detail["total"],
        asked_at, expires_at, bool(detail.get("apart")),
    )  # fmt: skip


def _read(row: ExportJob) -> AskedCopy:
    return asked_copy(
        row.id, row.person_id, form=row.form, state=row.state, detail=row.detail, asked_at=row.asked_at,
        expires_at=row.expires_at,
    )  # fmt: skip
