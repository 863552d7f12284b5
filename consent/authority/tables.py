"""Who may act for whom, and reports of a death (`docs/data-model.md`)."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database.base_table import Base


class AuthorityRow(Base):
    """A representative's statement of authority, as made; what became of it stands in its steps."""

    __tablename__ = "authority"
    __table_args__ = (UniqueConstraint("person_id", "form"),)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(index=True)
    account_id: Mapped[UUID] = mapped_column(index=True)
    provider_id: Mapped[str]
    relation: Mapped[str]
    stated_sealed: Mapped[bytes]
    begins_on: Mapped[date]
    ends_on: Mapped[date | None]
    of_age_on: Mapped[date | None]
    form: Mapped[str]
    stated_at: Mapped[datetime]


class AuthorityStep(Base):
    """Stated, confirmed, refused, ended: added, never changed. `by_kind` is the kind of actor."""

    __tablename__ = "authority_step"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    authority_id: Mapped[UUID] = mapped_column(ForeignKey("authority.id"), index=True)
    person_id: Mapped[UUID]
    step: Mapped[str]
    by_kind: Mapped[str]
    by_account: Mapped[UUID | None]
    reason: Mapped[str | None]
    at: Mapped[datetime]


class HelperRow(Base):
    """Somebody a person invited to read and fill in: found by the secret in their link, opened by a passcode."""

    __tablename__ = "helper"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(index=True)
    token_index: Mapped[bytes] = mapped_column(unique=True)
    passcode_index: Mapped[bytes]
    attempts_left: Mapped[int]
    known_sealed: Mapped[bytes]
    invited_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class HelperVisit(Base):
    """Each time a helper came, or somebody tried with a wrong passcode."""

    __tablename__ = "helper_visit"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    helper_id: Mapped[UUID] = mapped_column(ForeignKey("helper.id", ondelete="CASCADE"), index=True)
    person_id: Mapped[UUID]
    token_index: Mapped[bytes]
    outcome: Mapped[str]
    at: Mapped[datetime]


class FilledIn(Base):
    """A form of an effort that a helper filled in for the person to look at and sign; sealed, replaced by the next."""

    __tablename__ = "filled_in"
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    effort_id: Mapped[str] = mapped_column(primary_key=True)
    helper_id: Mapped[UUID]
    sealed: Mapped[bytes]
    filled_in_at: Mapped[datetime]


class DeathReport(Base):
    """Somebody told us of a death (HIP-16). `person_id` None: nobody was found by what they told.

    `outcome`: None while staff look, `confirmed` or `mistaken` after. It is never a withdrawal.
    """

    __tablename__ = "death_report"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    report_index: Mapped[bytes] = mapped_column(unique=True)
    person_id: Mapped[UUID | None] = mapped_column(index=True)
    told_sealed: Mapped[bytes]
    reported_at: Mapped[datetime]
    outcome: Mapped[str | None]
    settled_by: Mapped[str | None]
    settled_at: Mapped[datetime | None]
