"""What the pages themselves keep: answers to the questions after the FAQ, in counts. Nothing about a person."""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from database.base_table import Base


class FaqReply(Base):
    """How often one answer was given to one question in a month; who gave it is kept nowhere."""

    __tablename__ = "faq_reply"
    month: Mapped[date] = mapped_column(primary_key=True)
    question: Mapped[str] = mapped_column(primary_key=True)
    answer: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
