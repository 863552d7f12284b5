"""Researchers' requests for data and what became of them (`docs/data-model.md`). No row is about a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from database.base_table import Base


class DataRequest(Base):
    """What a team asked for, as it was first submitted; added, never changed."""

    __tablename__ = "data_request"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    dataset: Mapped[str]
    content: Mapped[dict[str, Any]]
    submitted_at: Mapped[datetime]


class RequestEvent(Base):
    """One thing that happened to a request, numbered from 1 within it; added, never changed.

    Where a request stands is computed from its events (`process.py`). `detail` holds no person's data: of a build it
    has the digest of the manifest, and how many people it took in.
    """

    __tablename__ = "request_event"
    request_id: Mapped[UUID] = mapped_column(ForeignKey("data_request.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    who: Mapped[str]
    at: Mapped[datetime]
    detail: Mapped[dict[str, Any]]
