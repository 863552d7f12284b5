"""What the token endpoint remembers: tokens given out, and assertions already used. Nothing about a person."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from database.base_table import Base


class ApiToken(Base):
    """One access token, found by its keyed index; the token itself is kept nowhere."""

    __tablename__ = "api_token"
    token_index: Mapped[bytes] = mapped_column(primary_key=True)
    client_id: Mapped[str]
    scope: Mapped[str]
    expires_at: Mapped[datetime]


class ApiAssertion(Base):
    """A client's assertion that was used: its `jti` counts once (SMART-42)."""

    __tablename__ = "api_assertion"
    jti_index: Mapped[bytes] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime]
