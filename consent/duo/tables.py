"""What kinds of research a person leaves open (`docs/data-model.md`)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database.base_table import Base


class ResearchLimitRow(Base):
    """One choice in plain words of the kinds of research, sealed since it may name an illness; the newest counts.

    Added, never changed. It gives nothing by itself: every effort needs its own signed yes (ADR 0012).
    """

    __tablename__ = "research_limit"
    __table_args__ = (UniqueConstraint("person_id", "form"), Index("ix_research_limit_newest", "person_id", "id"))
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    form: Mapped[str]
    sealed: Mapped[bytes]
    made_at: Mapped[datetime]
    made_by_account: Mapped[UUID | None]
