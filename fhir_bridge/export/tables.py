"""A copy being made, its sealed pieces, and the links by which a person lets others open one."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity
from sqlalchemy.orm import Mapped, mapped_column

from database.base_table import Base


class ExportJob(Base):
    """A copy of the record being made for its owner; `detail` says of what and how far it is, never what it holds."""

    __tablename__ = "export_job"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(index=True)
    form: Mapped[str]
    retrieval_ids: Mapped[list[UUID]]
    state: Mapped[str]
    content_sealed: Mapped[bytes | None]
    detail: Mapped[dict[str, Any]]
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class ExportPart(Base):
    """One sealed piece of a copy that was made."""

    __tablename__ = "export_part"
    job_id: Mapped[UUID] = mapped_column(ForeignKey("export_job.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[UUID]
    content_sealed: Mapped[bytes]


class SharedLink(Base):
    """A SMART Health Link, found by the keyed index of the secret in its address (SHL-01). `attempts_left` only falls;
    at 0 the link is closed for good. `content_sealed`: what it is called, its address' secret and its file key."""

    __tablename__ = "shared_link"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(index=True)
    token_index: Mapped[bytes] = mapped_column(unique=True)
    content_sealed: Mapped[bytes]
    passcode_index: Mapped[bytes | None]
    attempts_left: Mapped[int]
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class SharedFile(Base):
    """What a link opens: a JWE under the link's own key, which only the link carries (SHL-03)."""

    __tablename__ = "shared_file"
    link_id: Mapped[UUID] = mapped_column(ForeignKey("shared_link.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[UUID]
    token_index: Mapped[bytes]
    jwe: Mapped[str]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class SharedOpening(Base):
    """Somebody came with a link: who they said they are, sealed, and what they got."""

    __tablename__ = "shared_opening"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    link_id: Mapped[UUID] = mapped_column(ForeignKey("shared_link.id", ondelete="CASCADE"), index=True)
    person_id: Mapped[UUID]
    token_index: Mapped[bytes]
    recipient_sealed: Mapped[bytes]
    outcome: Mapped[str]
    at: Mapped[datetime]
