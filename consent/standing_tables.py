"""What the operator and the public read of the stores: mails to contacts, times to confirm, counts; no persons."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from database.base_table import Base


class StoreDigest(Base):
    """One mail to a store's contact about all that is past its deadline, with the counts it was claimed for.

    `step` counts the mails of one silence, from 1. `tries` counts hand-overs: above 1, the mail may have come twice.
    `state`: `waiting` (at most one per store), `sent`, `refused` (the mail server will not take it), `over` (what it
    was about was confirmed before it left).
    """

    __tablename__ = "store_digest"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'sent', 'refused', 'over')", name="state"),
        Index("ix_store_digest_store", "store_id", "id"),
        Index("uq_store_digest_waiting", "store_id", unique=True, postgresql_where=text("state = 'waiting'")),
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    store_id: Mapped[str]
    step: Mapped[int]
    state: Mapped[str]
    claimed_at: Mapped[datetime]
    next_try_at: Mapped[datetime]
    tries: Mapped[int]
    sent_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
    overdue: Mapped[int] = mapped_column(BigInteger)
    oldest_due_at: Mapped[datetime | None]


class ConfirmTime(Base):
    """How many events one store confirmed in one month within the times of one bucket (`consent/store_record.py`)."""

    __tablename__ = "confirm_time"
    store_id: Mapped[str] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    bucket: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    events: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[int] = mapped_column(BigInteger)
    slowest: Mapped[int] = mapped_column(BigInteger)
    first_at: Mapped[datetime]


class StandingCount(Base):
    """One number that the operator reads, as of `looked_at`; `oldest_at` is when the oldest of what it counts began."""

    __tablename__ = "standing_count"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)
    oldest_at: Mapped[datetime | None]
    looked_at: Mapped[datetime]
