"""Who did what, and what only a person can settle (`docs/data-model.md`)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from database.base_table import Base


class AuditEventRow(Base):
    """Who did what to whose record or choices, with what outcome (CON-13). Added, never changed."""

    __tablename__ = "audit_event"
    __table_args__ = (Index("ix_audit_event_person", "person_id", "recorded_at"),)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    person_id: Mapped[UUID | None]
    recorded_at: Mapped[datetime]
    event: Mapped[str]
    action: Mapped[str]
    outcome: Mapped[str]
    actor_kind: Mapped[str]
    actor_account: Mapped[UUID | None]
    actor_reference: Mapped[str | None]
    detail: Mapped[dict[str, Any]]


LOOKED_AT_WITHIN = timedelta(days=3)
"""What family is told of their news and their paper ("within 3 days"), and so the deadline of the task."""


class StaffTask(Base):
    """Something only a person can settle: not found, ambiguous, a clinic not linked.

    `case_no` is what people call it. Who closed it says with what `outcome`; without one it settled by itself.
    """

    __tablename__ = "staff_task"
    __table_args__ = (
        UniqueConstraint("case_no"),
        Index("ix_staff_task_open", "opened_at", "case_no", postgresql_where=text("closed_at IS NULL")),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    case_no: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    person_id: Mapped[UUID | None]
    practice_id: Mapped[str | None]
    store_id: Mapped[str | None]
    kind: Mapped[str]
    detail: Mapped[dict[str, Any]]
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    assigned_to: Mapped[UUID | None]
    assigned_at: Mapped[datetime | None]
    escalated_to: Mapped[UUID | None]
    closed_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    closed_by: Mapped[UUID | None]
