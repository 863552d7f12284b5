"""What the care team's part keeps: lists of opt-outs under way."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database.base_table import Base


class OptOutList(Base):
    """One file of opt-outs. `rows_sealed` is emptied once it is applied; what is left are counts and the file's code.

    The same bytes are one list for one account, however often they are sent.
    """

    __tablename__ = "opt_out_list"
    __table_args__ = (UniqueConstraint("account_id", "file_mac"),)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    practice_id: Mapped[str]
    file_mac: Mapped[bytes]
    rows_sealed: Mapped[bytes | None]
    row_count: Mapped[int]
    recorded: Mapped[int | None]
    already_out: Mapped[int | None]
    made_at: Mapped[datetime]
    applied_at: Mapped[datetime | None]
