"""What is kept about people, decisions and their way into every store (`docs/data-model.md`)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from database.base_table import Base

CARE_TEAM_SAYS_NO = "actor_kind <> 'care-team' OR answer = 'no' OR (means = 'void' AND choice = 'cancerlinq')"
# The transaction that added a row: a reader catches up from the oldest one that ran when it last looked.
ADDED_BY = text("(pg_current_xact_id()::text::bigint)")


class Person(Base):
    """Whom data and decisions are about. `person_no` is a dense number for bitmaps and never leaves.

    `died_on`: the day of a death that staff confirmed; what the person had decided goes on holding (HIP-16).
    """

    __tablename__ = "person"
    # Decisions are followed by number: of a thousand, one page less is read for each (`decide/ledger_view.py`).
    __table_args__ = (Index("ix_person_id_person_no", "id", unique=True, postgresql_include=["person_no"]),)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_no: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    language: Mapped[str | None]
    zone: Mapped[str | None]
    created_at: Mapped[datetime]
    died_on: Mapped[date | None]


class PersonAlias(Base):
    """One name by which a provider or practice knows a person, sealed; found by its keyed index."""

    __tablename__ = "person_alias"
    # The index covers issuer, system and value, so it is unique by itself.
    __table_args__ = (UniqueConstraint("value_index"),)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    issued_by: Mapped[str]
    practice_id: Mapped[str | None]
    system: Mapped[str]
    value_index: Mapped[bytes]
    value_sealed: Mapped[bytes]
    created_at: Mapped[datetime]
    added_xid: Mapped[int] = mapped_column(BigInteger, index=True, server_default=ADDED_BY)


class PersonLink(Base):
    """Two persons joined, or parted again, by the person's own act; rows are only added, the newest counts."""

    __tablename__ = "person_link"
    __table_args__ = (CheckConstraint("person_id < other_person_id", name="ordered"),)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    other_person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    linked: Mapped[bool]
    made_by_account: Mapped[UUID]
    made_at: Mapped[datetime]
    added_xid: Mapped[int] = mapped_column(BigInteger, index=True, server_default=ADDED_BY)


class Practice(Base):
    """A practice of a hospital system; CancerLinQ takes part by practice."""

    __tablename__ = "practice"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    provider_id: Mapped[str]


class Effort(Base):
    """A research effort people may donate to, as configured and as its page states it."""

    __tablename__ = "effort"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    via_cancerlinq: Mapped[bool]
    invented: Mapped[bool]
    text_id: Mapped[str]


class ConsentText(Base):
    """One version of a consent text in one language, exactly as shown; never edited (LANG-02)."""

    __tablename__ = "consent_text"
    id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[str]
    sha256: Mapped[bytes]
    reviewer: Mapped[str]
    review_state: Mapped[str]
    major: Mapped[bool]
    published_at: Mapped[datetime]


class DecisionRow(Base):
    """One decision, for ever. `version` is the person's own count and FHIR's `meta.versionId`."""

    __tablename__ = "decision"
    __table_args__ = (
        UniqueConstraint("person_id", "version"),
        UniqueConstraint("person_id", "idempotency_key"),
        CheckConstraint("choice IN ('cancerlinq', 'donation')", name="choice"),
        CheckConstraint("answer IN ('yes', 'no')", name="answer"),
        CheckConstraint("(choice = 'donation') = (effort_id IS NOT NULL)", name="effort"),
        CheckConstraint(CARE_TEAM_SAYS_NO, name="care_team_only_no"),
        Index(
            "ix_decision_given",
            "effort_id",
            "person_id",
            postgresql_where=text("effort_id IS NOT NULL AND answer = 'yes'"),
        ),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    version: Mapped[int]
    choice: Mapped[str]
    effort_id: Mapped[str | None]
    answer: Mapped[str]
    categories: Mapped[list[str]]
    sensitive: Mapped[list[str]]
    actor_kind: Mapped[str]
    actor_account: Mapped[UUID | None]
    actor_reference: Mapped[str | None]
    means: Mapped[str]
    language: Mapped[str]
    text_id: Mapped[str | None]
    text_version: Mapped[int | None]
    practice_id: Mapped[str | None]
    provider_id: Mapped[str | None]
    reason: Mapped[str | None]
    evidence_sealed: Mapped[bytes | None]
    confirmed_by_person: Mapped[bool]
    asked_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    starts_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    idempotency_key: Mapped[str]
    salt: Mapped[bytes]


class FormWithoutChange(Base):
    """A form whose answer stood already: sent again it gives this result and changes nothing (I5)."""

    __tablename__ = "form_without_change"
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), primary_key=True)
    form: Mapped[str] = mapped_column(primary_key=True)
    decision_id: Mapped[UUID | None]
    answered_at: Mapped[datetime]


class Unsequenced(Base):
    """A committed decision waiting for its place in the one order, with its Merkle leaf already made.

    The leaf covers the whole row, sealed evidence included, which the sequencer itself may not read.
    """

    __tablename__ = "unsequenced"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    decision_id: Mapped[UUID] = mapped_column(unique=True)
    person_id: Mapped[UUID]
    version: Mapped[int]
    leaf: Mapped[bytes]


class Position(Base):
    """The dense global order, counted from 0: Merkle leaf index and every store's cursor."""

    __tablename__ = "position"
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    decision_id: Mapped[UUID] = mapped_column(ForeignKey("decision.id"), unique=True)
    person_id: Mapped[UUID] = mapped_column(index=True)
    version: Mapped[int]
    leaf: Mapped[bytes]
    sequenced_at: Mapped[datetime]


class TreeHead(Base):
    """A signed head over the first `size` positions (RFC 9162 section 4.10 in spirit)."""

    __tablename__ = "tree_head"
    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    root: Mapped[bytes]
    signed_at: Mapped[datetime]
    key_id: Mapped[str]
    signature: Mapped[bytes]


class LedgerTile(Base):
    """The root of a complete tile: of `256**level` leaves, the `number`th such run (`consent/tiles.py`)."""

    __tablename__ = "ledger_tile"
    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    root: Mapped[bytes]


class StoreRow(Base):
    """A store as last configured, for pages and for what was promised when."""

    __tablename__ = "store"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    holds: Mapped[str]
    basis: Mapped[str]
    effort_id: Mapped[str | None]
    deadline_seconds: Mapped[int] = mapped_column(BigInteger)
    contact: Mapped[str]
    added_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]


class StoreSubject(Base):
    """The random code under which one store knows a person; derived from nothing (HIP-22)."""

    __tablename__ = "store_subject"
    __table_args__ = (UniqueConstraint("store_id", "subject"),)
    store_id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), primary_key=True)
    subject: Mapped[str]
    created_at: Mapped[datetime]
    added_xid: Mapped[int] = mapped_column(BigInteger, index=True, server_default=ADDED_BY)


class StoreCursor(Base):
    """How far one store's sender is: every position below `position` is answered or parked; and how it fares."""

    __tablename__ = "store_cursor"
    store_id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
    event_number: Mapped[int] = mapped_column(BigInteger)
    failures: Mapped[int]
    last_error: Mapped[str | None]
    next_try_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class StoreBatch(Base):
    """A run of dense event numbers made for one store, written before it is sent, so that a retry carries the same
    events and message id. `positions[i]` is the position of event `first_event + i`. `purpose`: the stream, or
    something told again (`consent/feed/retelling.py`)."""

    __tablename__ = "store_batch"
    __table_args__ = (
        CheckConstraint("purpose IN ('stream', 'backfill', 'repair')", name="purpose"),
        UniqueConstraint("store_id", "first_event"),
        Index("ix_store_batch_range", "store_id", "first_position", "last_position"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    store_id: Mapped[str]
    first_event: Mapped[int] = mapped_column(BigInteger)
    last_event: Mapped[int] = mapped_column(BigInteger)
    first_position: Mapped[int] = mapped_column(BigInteger)
    last_position: Mapped[int] = mapped_column(BigInteger)
    positions: Mapped[list[int]]
    made_at: Mapped[datetime]
    told_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    purpose: Mapped[str] = mapped_column(server_default=text("'stream'"))


class Receipt(Base):
    """What a store signed about a batch (`event_number` null; `detail` as in `kept_receipts`) or one event of it."""

    __tablename__ = "receipt"
    __table_args__ = (Index("ix_receipt_event", "store_id", "event_number"),)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    store_id: Mapped[str]
    batch_id: Mapped[UUID] = mapped_column(ForeignKey("store_batch.id"), index=True)
    event_number: Mapped[int | None] = mapped_column(BigInteger)
    version: Mapped[int | None]
    state: Mapped[str]
    removed: Mapped[int | None]
    detail: Mapped[dict[str, Any]]
    signature: Mapped[str]
    received_at: Mapped[datetime]


class ParkedItem(Base):
    """One decision one store would not take: set aside alone, alarmed, never dropped."""

    __tablename__ = "parked_item"
    __table_args__ = (UniqueConstraint("store_id", "position"),)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    store_id: Mapped[str]
    person_id: Mapped[UUID]
    position: Mapped[int] = mapped_column(BigInteger)
    event_number: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str]
    attempts: Mapped[int]
    parked_at: Mapped[datetime]
    next_try_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
