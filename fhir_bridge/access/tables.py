"""Letters that ask for a record, what became of them, and the files a person added (`docs/data-model.md`)."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database.base_table import Base


class AccessRequest(Base):
    """A letter to a clinic, sealed with the person's key; `form` makes a form sent twice one letter."""

    __tablename__ = "access_request"
    __table_args__ = (UniqueConstraint("person_id", "form"),)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID]
    form: Mapped[str]
    sealed: Mapped[bytes]
    written_at: Mapped[datetime]


class AccessEvent(Base):
    """What became of a letter, as the person noted it: added, never changed, gone only with its letter. `on_date` is
    the day it happened."""

    __tablename__ = "access_event"
    __table_args__ = (UniqueConstraint("request_id", "form"),)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    request_id: Mapped[UUID] = mapped_column(ForeignKey("access_request.id", ondelete="CASCADE"))
    person_id: Mapped[UUID] = mapped_column(index=True)
    form: Mapped[str]
    kind: Mapped[str]
    on_date: Mapped[date]
    until_date: Mapped[date | None]
    reason_sealed: Mapped[bytes | None]
    noted_at: Mapped[datetime]


class AddedFile(Base):
    """A scan or file that a person added, sealed with their key; the same bytes are kept once."""

    __tablename__ = "added_file"
    __table_args__ = (UniqueConstraint("person_id", "content_mac"),)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID]
    request_id: Mapped[UUID | None] = mapped_column(ForeignKey("access_request.id"))
    kind: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    content_mac: Mapped[bytes]
    name_sealed: Mapped[bytes]
    content_sealed: Mapped[bytes]
    added_at: Mapped[datetime]
