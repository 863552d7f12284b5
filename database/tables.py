"""Tables that belong to no person: who is at work, and how often something was asked."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from database.base_table import Base


class ProcessHeartbeat(Base):
    """A worker or feed process at work; `/readyz` reads it."""

    __tablename__ = "process_heartbeat"
    process: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class RateCount(Base):
    """How often one keyed subject (never an address in plain) asked in one window; SEC-09."""

    __tablename__ = "rate_count"
    subject: Mapped[bytes] = mapped_column(primary_key=True)
    window_start: Mapped[datetime] = mapped_column(primary_key=True)
    count: Mapped[int]
    kept_until: Mapped[datetime | None]  # a window longer than an hour says when it is over
