"""What an effort found out, in plain words for those who took part."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from database.base_table import Base


class EffortResult(Base):
    """One piece of news of one effort in one language; published once, never changed."""

    __tablename__ = "effort_result"
    effort_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    words: Mapped[str]
    published_at: Mapped[datetime]
    published_by: Mapped[str]
