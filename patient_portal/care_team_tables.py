"""What the care team's part keeps: lists of opt-outs under way, and how each person is told of what was recorded."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint
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


class CareTeamNotice(Base):
    """That one person is told of one thing that staff recorded: as many rows as actions (threats.md abuse case 10).

    `to_sealed` is the name and address from the hospital, emptied once the person is told. State: `waiting`, `told`,
    or `handed-on` to the texts, which are sent by their own rules.
    """

    __tablename__ = "care_team_notice"
    __table_args__ = (
        CheckConstraint("channel IN ('text', 'mail', 'letter')", name="channel"),
        CheckConstraint("state IN ('waiting', 'handed-on', 'told')", name="state"),
    )
    decision_id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(index=True)
    practice_id: Mapped[str | None] = mapped_column(index=True)
    channel: Mapped[str]
    state: Mapped[str]
    to_sealed: Mapped[bytes | None]
    tries: Mapped[int]
    next_try_at: Mapped[datetime | None] = mapped_column(index=True)
    made_at: Mapped[datetime]
    told_at: Mapped[datetime | None]
