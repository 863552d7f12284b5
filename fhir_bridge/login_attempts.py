"""A launch under way: kept sealed on our side, found by its state, used once, by the browser that began it."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from database.keyring import KeyRing
from fhir_bridge.smart.errors import LaunchRefused
from fhir_bridge.smart.launch import LaunchRequest
from fhir_bridge.tables import LoginAttempt

LIFE = timedelta(minutes=15)


@dataclass(frozen=True)
class Attempt:
    """A launch that came back. `after`: our own path to go on to; `adding`: the account that adds a hospital by it."""

    request: LaunchRequest = field(repr=False)
    after: str
    adding: UUID | None


def state_index(ring: KeyRing, state: str) -> bytes:
    """The keyed index of a `state`: the context under which its row is reached."""
    return ring.blind_index("login-state", state)


def save_attempt(
    session: Session,
    ring: KeyRing,
    request: LaunchRequest,
    *,
    browser: bytes,
    after: str,
    now: datetime,
    adding: UUID | None = None,
) -> None:
    """Keep `request` until the callback. `browser` is the index of the session that began; see Attempt."""
    index = state_index(ring, request.state)
    content = orjson.dumps({"request": request.as_stored(), "after": after, "adding": adding})
    session.add(
        LoginAttempt(
            state_index=index,
            session_index=browser,
            provider_id=request.provider_id,
            content_sealed=ring.seal(content, _place(index)),
            created_at=now,
            used_at=None,
        )
    )


def take_attempt(session: Session, ring: KeyRing, state: str, *, browser: bytes, now: datetime) -> Attempt:
    """The request that `state` names, marked as used; LaunchRefused when unknown, old, used or another browser's."""
    index = state_index(ring, state)
    row = session.scalar(select(LoginAttempt).where(LoginAttempt.state_index == index).with_for_update())
    if row is None or now - row.created_at > LIFE:
        raise LaunchRefused("state-unknown")
    if row.used_at is not None:
        raise LaunchRefused("state-used")
    if not hmac.compare_digest(row.session_index, browser):
        raise LaunchRefused("state-of-another-browser")
    session.execute(update(LoginAttempt).where(LoginAttempt.state_index == index).values(used_at=now))
    content: dict[str, Any] = orjson.loads(ring.open(row.content_sealed, _place(index)))
    adding = content.get("adding")
    return Attempt(
        LaunchRequest.from_stored(content["request"]), str(content["after"]), UUID(adding) if adding else None
    )


def forget_old(session: Session, now: datetime) -> None:
    """Delete attempts past their life; run by a worker in the propagation role."""
    session.execute(delete(LoginAttempt).where(LoginAttempt.created_at < now - LIFE))


def _place(index: bytes) -> str:
    return f"login_attempt:content:{index.hex()}"
