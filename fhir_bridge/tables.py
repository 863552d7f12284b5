"""Who signs in, what connects them to a hospital, and the record as it came (`docs/data-model.md`)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, UniqueConstraint, false, text, true
from sqlalchemy.orm import Mapped, mapped_column

from database.base_table import Base


class Account(Base):
    """(issuer, subject) of an id_token, kept as a keyed index: the only key of an account (SMART-63)."""

    __tablename__ = "account"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    issuer: Mapped[str]
    subject_index: Mapped[bytes] = mapped_column(unique=True)
    kind: Mapped[str]
    created_at: Mapped[datetime]
    signed_in_at: Mapped[datetime]


class Connection(Base):
    """Account, person and the patient id of one provider; the binding never changes (decisions, Who is who).

    `refresh_at`: when the record is next brought up to date without the person; null where they did not ask for that.
    """

    __tablename__ = "connection"
    __table_args__ = (
        UniqueConstraint("account_id", "provider_id", "patient_index"),
        Index("ix_connection_refresh", "refresh_at", postgresql_where=text("refresh_at IS NOT NULL")),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"), index=True)
    person_id: Mapped[UUID] = mapped_column(index=True)
    provider_id: Mapped[str]
    patient_index: Mapped[bytes]
    patient_sealed: Mapped[bytes]
    relation: Mapped[str]
    state: Mapped[str]
    scope: Mapped[str]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    refresh_at: Mapped[datetime | None]


class Token(Base):
    """The hospital's tokens of one connection, sealed; `turn` rises with each refresh (SMART-47)."""

    __tablename__ = "token"
    connection_id: Mapped[UUID] = mapped_column(ForeignKey("connection.id"), primary_key=True)
    person_id: Mapped[UUID]
    access_sealed: Mapped[bytes]
    refresh_sealed: Mapped[bytes | None]
    expires_at: Mapped[datetime | None]
    turn: Mapped[int]
    updated_at: Mapped[datetime]


class WebSession(Base):
    """One browser's session, found by the keyed index of its cookie (SEC-01, SEC-02)."""

    __tablename__ = "web_session"
    id_index: Mapped[bytes] = mapped_column(primary_key=True)
    account_id: Mapped[UUID | None] = mapped_column(index=True)
    content_sealed: Mapped[bytes]
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class LoginAttempt(Base):
    """A launch under way, found by the keyed index of its state; used once (SMART-11)."""

    __tablename__ = "login_attempt"
    state_index: Mapped[bytes] = mapped_column(primary_key=True)
    session_index: Mapped[bytes]
    provider_id: Mapped[str]
    content_sealed: Mapped[bytes]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class PersonKey(Base):
    """The wrapped data key of one person; `wrapped` null means destroyed, and the content with it."""

    __tablename__ = "person_key"
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    wrapped: Mapped[bytes | None]
    created_at: Mapped[datetime]
    destroyed_at: Mapped[datetime | None]


class Retrieval(Base):
    """One fetch of a record from one provider, and its manifest's head.

    `whole`: everything was asked for; else only what changed since an earlier fetch (FHIR-16).
    """

    __tablename__ = "retrieval"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(index=True)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey("connection.id"))
    provider_id: Mapped[str]
    state: Mapped[str]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    whole: Mapped[bool] = mapped_column(server_default=true())


class RetrievalSearch(Base):
    """How far one search of a fetch under way is, sealed: a killed fetch goes on from there. Gone when it is over."""

    __tablename__ = "retrieval_search"
    retrieval_id: Mapped[UUID] = mapped_column(ForeignKey("retrieval.id"), primary_key=True)
    search_index: Mapped[bytes] = mapped_column(primary_key=True)
    person_id: Mapped[UUID]
    sealed: Mapped[bytes]


class RetrievalType(Base):
    """How one kind of data fared in one fetch (FHIR-10). Notices may quote the hospital, so they are sealed."""

    __tablename__ = "retrieval_type"
    retrieval_id: Mapped[UUID] = mapped_column(ForeignKey("retrieval.id"), primary_key=True)
    type: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[UUID]
    state: Mapped[str]
    count: Mapped[int]
    notices_sealed: Mapped[bytes | None]
    updated_at: Mapped[datetime]


class RetrievalManifest(Base):
    """Which resource versions one fetch saw, a page at a time; exports and donations pin a retrieval."""

    __tablename__ = "retrieval_manifest"
    retrieval_id: Mapped[UUID] = mapped_column(ForeignKey("retrieval.id"), primary_key=True)
    page: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[UUID]
    type: Mapped[str]
    version_ids: Mapped[list[int]]


class ResourceVersion(Base):
    """One version of one resource as it came, sealed; added when its content MAC is new."""

    __tablename__ = "resource_version"
    __table_args__ = (UniqueConstraint("person_id", "provider_id", "type", "fhir_id_index", "content_mac"),)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    person_id: Mapped[UUID]
    provider_id: Mapped[str]
    type: Mapped[str]
    fhir_id_index: Mapped[bytes]
    content_mac: Mapped[bytes]
    content_sealed: Mapped[bytes]
    received_at: Mapped[datetime]


class RecordEntry(Base):
    """The entry a person sees now: which version is current, with what paging and counting need in plain.

    `mistake`: its provider withdrew it (`entered-in-error`), so it is no fact and is not counted (FHIR-13).
    `code_index`: keyed index of what was measured, empty for what is no Observation; null where an older program
    kept the entry.
    """

    __tablename__ = "record_entry"
    __table_args__ = (
        UniqueConstraint("person_id", "provider_id", "type", "fhir_id_index"),
        Index("ix_record_entry_page", "person_id", "kind", "clinical_date", "id"),
        Index("ix_record_entry_code", "person_id", "code_index", "clinical_date", "id"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID]
    provider_id: Mapped[str]
    type: Mapped[str]
    fhir_id_index: Mapped[bytes]
    kind: Mapped[str]
    clinical_date: Mapped[str]
    mistake: Mapped[bool] = mapped_column(server_default=false())
    version_id: Mapped[int] = mapped_column(ForeignKey("resource_version.id"))
    retrieval_id: Mapped[UUID]
    code_index: Mapped[bytes | None]


class EntryProvenance(Base):
    """Which Provenance speaks of which entry, and who wrote it as that says (FHIR-08): keyed indexes of their ids at
    the provider. `provenance_index` is a Provenance's, or an organization's or person's that one names."""

    __tablename__ = "entry_provenance"
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[str] = mapped_column(primary_key=True)
    target_index: Mapped[bytes] = mapped_column(primary_key=True)
    provenance_index: Mapped[bytes] = mapped_column(primary_key=True)


class RecordCount(Base):
    """How many entries of a kind a provider gave, kept by a trigger on `record_entry`; `withdrawn` are among them."""

    __tablename__ = "record_count"
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    total: Mapped[int] = mapped_column(BigInteger, server_default="0")
    withdrawn: Mapped[int] = mapped_column(BigInteger, server_default="0")


class CancerSummaryRow(Base):
    """The cancer story made when the record came in, sealed (decisions, Data at rest)."""

    __tablename__ = "cancer_summary"
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    content_sealed: Mapped[bytes]
    made_from: Mapped[list[UUID]]
    made_at: Mapped[datetime]


class OwnStatement(Base):
    """What a person says of their own health, sealed; never part of what a hospital sent, and in no donation."""

    __tablename__ = "own_statement"
    __table_args__ = (Index("ix_own_statement_person_id", "person_id", "said_at"),)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID]
    sealed: Mapped[bytes]
    said_at: Mapped[datetime]


class ReadingChoice(Base):
    """What a person would rather open with their doctor (FHIR-19), sealed; no row means that all is shown."""

    __tablename__ = "reading_choice"
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]
    changed_at: Mapped[datetime]


class ProviderBrand(Base):
    """A hospital or clinic by the name people know, and the FHIR base at which it signs in; public knowledge.

    Loaded by `portal providers brands`; `searched` is the folded text that a search looks in.
    """

    __tablename__ = "provider_brand"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    source: Mapped[str]
    fhir_base_url: Mapped[str]
    name: Mapped[str]
    known_as: Mapped[list[str]]
    city: Mapped[str]
    state: Mapped[str]
    postal_code: Mapped[str]
    logo: Mapped[str]
    searched: Mapped[str]
    loaded_at: Mapped[datetime]
