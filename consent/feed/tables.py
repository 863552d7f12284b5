"""How each store is spoken to, and which events it has not confirmed yet."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from consent.tables import DecisionRow
from database.base_table import Base


class StoreChannel(Base):
    """The channel to one store, as a Subscription's `status` (SUB-02), and the newest look at what it owes.

    `greeted` is a keyed mark of the endpoint and secrets that answered a handshake last: another one is greeted anew.
    `heard_at` is its last believed answer. `overdue`, `waiting`, `parked` and `oldest_due_at` are counts and a time
    as of `looked_at`, about nobody. `digest_on` is the last day for which its contact was claimed a digest.
    """

    __tablename__ = "store_channel"
    __table_args__ = (CheckConstraint("state IN ('requested', 'active', 'error')", name="state"),)
    store_id: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    greeted: Mapped[bytes | None]
    since: Mapped[datetime]
    last_error: Mapped[str | None]
    heard_at: Mapped[datetime | None]
    waiting: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    overdue: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    parked: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    oldest_due_at: Mapped[datetime | None]
    looked_at: Mapped[datetime | None]
    digest_on: Mapped[date | None]


class UnconfirmedEvent(Base):
    """An event whose newest receipt does not confirm it; the row goes when one does, or a later version's does."""

    __tablename__ = "unconfirmed_event"
    store_id: Mapped[str] = mapped_column(primary_key=True)
    event_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    person_id: Mapped[UUID]
    version: Mapped[int]
    state: Mapped[str]
    recorded_at: Mapped[datetime]


# What the sweep for beginnings and ends looks for (`consent/feed/begin_and_end.py`).
Index("ix_decision_expires", DecisionRow.expires_at, postgresql_where=DecisionRow.expires_at.is_not(None))
Index("ix_decision_starts", DecisionRow.starts_at, postgresql_where=DecisionRow.starts_at > DecisionRow.recorded_at)


class StorePause(Base):
    """A time in which an operator wanted nothing sent to one store: who and why. At most one is open for a store."""

    __tablename__ = "store_pause"
    __table_args__ = (
        CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="ended"),
        Index("ix_store_pause_open", "store_id", unique=True, postgresql_where=text("ended_at IS NULL")),
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    store_id: Mapped[str]
    paused_at: Mapped[datetime]
    paused_by: Mapped[str]
    why: Mapped[str]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]


class StoreBackfill(Base):
    """The newest backfill of one store: what stood at `stop_position`, told from the ledger's beginning on, as far as
    `next_position`. `only_no`: the store held nobody yet, so it hears of those to keep out only. `told` counts events.
    """

    __tablename__ = "store_backfill"
    store_id: Mapped[str] = mapped_column(primary_key=True)
    stop_position: Mapped[int] = mapped_column(BigInteger)
    next_position: Mapped[int] = mapped_column(BigInteger)
    only_no: Mapped[bool]
    told: Mapped[int] = mapped_column(BigInteger)
    begun_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class StoreRetelling(Base):
    """A position that a store is to be told again, since reconciliation found it lost there."""

    __tablename__ = "store_retelling"
    store_id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    asked_at: Mapped[datetime]


class Reconciliation(Base):
    """One comparison with one store, about nobody: of the events up to `through_event` we counted `counted` that
    should be in force there and it counted `theirs`; `differing` were told again (`repaired`) or became a task
    (`to_people`), together with `stray` that it keeps out for no reason of ours. `requests` were asked for it, and the
    single events of `fetched` numbers.
    """

    __tablename__ = "reconciliation"
    __table_args__ = (
        CheckConstraint("outcome IN ('agrees', 'drift', 'no-answer', 'cannot')", name="outcome"),
        Index("ix_reconciliation_store", "store_id", "id"),
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    store_id: Mapped[str]
    outcome: Mapped[str]
    reason: Mapped[str | None]
    through_event: Mapped[int] = mapped_column(BigInteger)
    counted: Mapped[int] = mapped_column(BigInteger)
    theirs: Mapped[int | None] = mapped_column(BigInteger)
    differing: Mapped[int] = mapped_column(BigInteger)
    repaired: Mapped[int] = mapped_column(BigInteger)
    to_people: Mapped[int] = mapped_column(BigInteger)
    stray: Mapped[int] = mapped_column(BigInteger)
    requests: Mapped[int]
    fetched: Mapped[int] = mapped_column(BigInteger)
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime]
