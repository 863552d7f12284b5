"""Scans and files that a person added to their record: kept sealed, listed, given back, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from database.keyring import KeyRing
from fhir_bridge.access.file_kinds import KINDS, FileKind
from fhir_bridge.access.tables import AddedFile
from fhir_bridge.person_ciphers import cipher_for_new_content, cipher_of
from vocabulary.errors import Conflict, NotFound

MOST_FILES = 200
MOST_TOGETHER = 300 * 1024 * 1024


@dataclass(frozen=True)
class Added:
    """One file as it is listed; `size` in bytes of what was sent."""

    id: UUID
    name: str
    kind: FileKind
    size: int
    added_at: datetime
    request: UUID | None


def add_file(
    session: Session,
    ring: KeyRing,
    person: UUID,
    content: bytes,
    name: str,
    kind: FileKind,
    now: datetime,
    request: UUID | None = None,
) -> bool:  # fmt: skip
    """Keep a file that was looked at before; False when the same bytes are there. Conflict when there is no room."""
    together = select(func.count(), func.coalesce(func.sum(AddedFile.size), 0)).where(AddedFile.person_id == person)
    count, size = session.execute(together).one()
    if count >= MOST_FILES or size + len(content) > MOST_TOGETHER:
        raise Conflict("no-room-for-files")
    cipher, file = cipher_for_new_content(session, ring, person, now), uuid4()
    row = {
        "id": file, "person_id": person, "request_id": request, "kind": kind.code, "size": len(content),
        "content_mac": ring.content_mac(content), "name_sealed": cipher.seal(name.encode(), _place(file, "name")),
        "content_sealed": cipher.seal(content, _place(file, "content")), "added_at": now,
    }  # fmt: skip
    added = insert(AddedFile).values(row).on_conflict_do_nothing(index_elements=["person_id", "content_mac"])
    return session.scalar(added.returning(AddedFile.id)) is not None


def added_files(session: Session, ring: KeyRing, persons: Sequence[UUID]) -> list[Added]:
    """What these (linked) persons added, newest first, without the contents."""
    rows = session.execute(
        select(
            AddedFile.id, AddedFile.person_id, AddedFile.name_sealed, AddedFile.kind, AddedFile.size,
            AddedFile.added_at, AddedFile.request_id,
        )
        .where(_own(persons))
        .order_by(AddedFile.added_at.desc(), AddedFile.id)
    ).all()  # fmt: skip
    ciphers = {person: cipher_of(session, ring, person) for person in {row.person_id for row in rows}}
    return [
        Added(
            row.id,
            ciphers[row.person_id].open(row.name_sealed, _place(row.id, "name")).decode(),
            KINDS[row.kind],
            row.size,
            row.added_at,
            row.request_id,
        )
        for row in rows
    ]


def added_content(session: Session, ring: KeyRing, persons: Sequence[UUID], file: UUID) -> tuple[bytes, str, FileKind]:
    """The bytes as they were sent, the name, the kind; NotFound for another's."""
    row = session.scalars(select(AddedFile).where(AddedFile.id == file, _own(persons))).one_or_none()
    if row is None:
        raise NotFound("added-file")
    cipher = cipher_of(session, ring, row.person_id)
    name = cipher.open(row.name_sealed, _place(file, "name")).decode()
    return cipher.open(row.content_sealed, _place(file, "content")), name, KINDS[row.kind]


def delete_file(session: Session, persons: Sequence[UUID], file: UUID) -> None:
    """Delete it for good; NotFound for another's."""
    gone = session.scalar(delete(AddedFile).where(AddedFile.id == file, _own(persons)).returning(AddedFile.id))
    if gone is None:
        raise NotFound("added-file")


def _own(persons: Sequence[UUID]) -> ColumnElement[bool]:
    return AddedFile.person_id.in_(persons)


def _place(file: UUID, column: str) -> str:
    return f"added_file:{column}_sealed:{file}"
