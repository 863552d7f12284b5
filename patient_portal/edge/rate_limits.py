"""How often one sender may ask (SEC-09), counted in PostgreSQL so that every web process sees the same count.

The subject of a count is a keyed index of the address and what was asked; no address is stored in plain.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any, TypeVar

from flask import request
from sqlalchemy import delete, or_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from database.context import as_nobody
from database.tables import RateCount
from patient_portal.wiring import now, wiring
from vocabulary.errors import TooMany

View = TypeVar("View", bound=Callable[..., Any])
WINDOW_SECONDS = 60


def limited(what: str, *, per_minute: int) -> Callable[[View], View]:
    """Answer 429 with Retry-After when one address asks for `what` more often; stands under the gate."""

    def declare(view: View) -> View:
        @wraps(view)
        def counted(*args: Any, **values: Any) -> Any:
            moment = now()
            subject = wiring().keyring.blind_index(f"rate:{what}", request.remote_addr or "")
            with wiring().database.begin(as_nobody()) as session:
                count = count_once(session, subject, moment)
            if count > per_minute:
                raise TooMany(f"too-many:{what}", WINDOW_SECONDS - int(moment.timestamp()) % WINDOW_SECONDS)
            return view(*args, **values)

        return counted  # type: ignore[return-value]  # same signature, which functools.wraps hides

    return declare


def count_once(session: Session, subject: bytes, moment: datetime) -> int:
    """Count one asking in this minute; returns how many there are now."""
    start = datetime.fromtimestamp(int(moment.timestamp()) // WINDOW_SECONDS * WINDOW_SECONDS, UTC)
    counted = session.scalar(
        insert(RateCount)
        .values(subject=subject, window_start=start, count=1)
        .on_conflict_do_update(index_elements=["subject", "window_start"], set_={"count": RateCount.count + 1})
        .returning(RateCount.count)
    )
    return int(counted or 0)


def forget_old(session: Session, before: datetime) -> None:
    """Delete windows that are over."""
    over = or_(RateCount.kept_until.is_(None), RateCount.kept_until < before)
    session.execute(delete(RateCount).where(RateCount.window_start < before, over))
