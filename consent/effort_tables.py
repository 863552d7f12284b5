"""Which research efforts have ended (`docs/data-model.md`)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from database.base_table import Base


class EffortEnd(Base):
    """An effort has ended: nothing new is asked for it or sent to it. Added once, never changed; nobody's data."""

    __tablename__ = "effort_end"
    effort_id: Mapped[str] = mapped_column(primary_key=True)
    ended_at: Mapped[datetime]
    ended_by: Mapped[str]
    why: Mapped[str]
