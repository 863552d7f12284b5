"""How a person may be reached, what they agreed to, and every text (`docs/data-model.md`)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database.base_table import Base


class ContactPoint(Base):
    """One number of one person, sealed, found by its keyed index; the code is kept as a hash until proven."""

    __tablename__ = "contact_point"
    __table_args__ = (UniqueConstraint("person_id", "value_index"),)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(index=True)
    channel: Mapped[str]
    value_index: Mapped[bytes] = mapped_column(index=True)
    value_sealed: Mapped[bytes]
    language: Mapped[str]
    zone: Mapped[str | None]
    state: Mapped[str]
    code_hash: Mapped[bytes | None]
    code_expires_at: Mapped[datetime | None]
    code_tries: Mapped[int]
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]


class ContactConsent(Base):
    """A yes or no to texts, with its proof (SMS-01). Added, never changed; the newest counts."""

    __tablename__ = "contact_consent"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    contact_point_id: Mapped[UUID] = mapped_column(ForeignKey("contact_point.id"), index=True)
    person_id: Mapped[UUID]
    value_index: Mapped[bytes]
    topic: Mapped[str]
    answer: Mapped[str]
    means: Mapped[str]
    proof_sealed: Mapped[bytes]
    recorded_at: Mapped[datetime]


class Message(Base):
    """One text or mail: the intent is written before it is sent; `dedupe_key` makes the intent single."""

    __tablename__ = "message"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(index=True)
    contact_point_id: Mapped[UUID] = mapped_column(ForeignKey("contact_point.id"))
    dedupe_key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    language: Mapped[str]
    body_sealed: Mapped[bytes]
    state: Mapped[str]
    sid: Mapped[str | None] = mapped_column(unique=True)
    error_code: Mapped[str | None]
    attempts: Mapped[int]
    created_at: Mapped[datetime]
    send_after: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    state_at: Mapped[datetime]


class InboundMessage(Base):
    """A text that came in, once per MessageSid for ever (a signed webhook can be replayed)."""

    __tablename__ = "inbound_message"
    sid: Mapped[str] = mapped_column(primary_key=True)
    value_index: Mapped[bytes] = mapped_column(index=True)
    meaning: Mapped[str]
    received_at: Mapped[datetime]


class Reminder(Base):
    """A reminder a person set: finish what you began."""

    __tablename__ = "reminder"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(index=True)
    about: Mapped[str]
    due_at: Mapped[datetime]
    state: Mapped[str]
    created_at: Mapped[datetime]
