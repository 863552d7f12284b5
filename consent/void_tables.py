"""An opt-out that staff entered for the wrong person, and who of the practice agrees that it is taken back."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database.base_table import Base


class EntryVoid(Base):
    """One request to take an entry back. `agreed_*` and `void_id` stay empty until a second person agrees.

    The decision itself is never changed: `void_id` is the new decision, whose key names the one it takes back.
    """

    __tablename__ = "entry_void"
    __table_args__ = (CheckConstraint("agreed_account <> asked_account", name="two_persons"),)
    decision_id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(index=True)
    practice_id: Mapped[str] = mapped_column(index=True)
    provider_id: Mapped[str]
    asked_account: Mapped[UUID]
    asked_by: Mapped[str]
    reason_sealed: Mapped[bytes]
    asked_at: Mapped[datetime]
    agreed_account: Mapped[UUID | None]
    agreed_by: Mapped[str | None]
    agreed_at: Mapped[datetime | None]
    void_id: Mapped[UUID | None]
