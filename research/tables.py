"""What donors' data went where (`docs/data-model.md`)."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from database.base_table import Base


class DeliveryToEffort(Base):
    """One sending of a donor's data to one effort, pinned to retrievals and to the yes it rests on; or a mark.

    A mark (`manifest` is `mark:` and the store) says that a person's donation is to be looked at: `due`, else
    `settled`. A delivery's `manifest` is a digest of the resource versions it was made from; its id is the random
    name under which it is sent.
    """

    __tablename__ = "delivery_to_effort"
    __table_args__ = (
        UniqueConstraint("person_id", "effort_id", "decision_version", "manifest"),
        Index("ix_delivery_to_effort_due", "store_id", "next_try_at", postgresql_where=text("state = 'due'")),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID]
    effort_id: Mapped[str]
    store_id: Mapped[str]
    decision_version: Mapped[int]
    manifest: Mapped[str]
    retrieval_ids: Mapped[list[UUID]]
    categories: Mapped[list[str]]
    state: Mapped[str]
    resource_count: Mapped[int]
    sha256: Mapped[bytes | None]
    answer: Mapped[dict[str, Any]]
    attempts: Mapped[int]
    next_try_at: Mapped[datetime | None]
    made_at: Mapped[datetime]
    told_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
