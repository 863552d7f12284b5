"""How often one sender may ask (SEC-09), counted in PostgreSQL so that every web process sees the same count.

The subject of a count is a keyed index of the address and what was asked; no address is stored in plain.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, TypeVar

from flask import request
from sqlalchemy import delete, or_, text
from sqlalchemy.orm import Session

from database.context import as_nobody
from database.straight import Straight
from database.tables import RateCount
from patient_portal.wiring import now, wiring
from vocabulary.errors import TooMany

View = TypeVar("View", bound=Callable[..., Any])
WINDOW_SECONDS, HOUR_SECONDS = 60, 3600
# A constant: every form that counts runs it, and building it anew cost more than running it.
_COUNT = text(
    "INSERT INTO rate_count AS r (subject, window_start, count, kept_until) VALUES (:subject, :start, 1, :until)"
    " ON CONFLICT (subject, window_start) DO UPDATE SET count = r.count + 1 RETURNING count"
)


def limited(what: str, *, per_minute: int, in_all_per_hour: int | None = None) -> Callable[[View], View]:
    """Answer 429 with Retry-After when one address asks for `what` more often; stands under the gate.

    `in_all_per_hour`: also when all addresses together do, for what fills something that people have to work through.
    """

    def declare(view: View) -> View:
        @wraps(view)
        def counted(*args: Any, **values: Any) -> Any:
            moment = now()
            subject = wiring().keyring.blind_index(f"rate:{what}", request.remote_addr or "")
            with wiring().database.begin_straight(as_nobody()) as straight:
                count = count_once(straight, subject, moment)
                if in_all_per_hour is not None and count <= per_minute:
                    everybody = wiring().keyring.blind_index(f"rate:{what}", "everybody")
                    in_all = count_once(straight, everybody, moment, seconds=HOUR_SECONDS)
                else:
                    in_all = 0
            if count > per_minute:
                raise TooMany(f"too-many:{what}", _left(moment, WINDOW_SECONDS))
            if in_all_per_hour is not None and in_all > in_all_per_hour:
                raise TooMany(f"too-many:{what}", _left(moment, HOUR_SECONDS))
            return view(*args, **values)

        return counted  # type: ignore[return-value]  # same signature, which functools.wraps hides

    return declare


def count_once(straight: Straight, subject: bytes, moment: datetime, *, seconds: int = WINDOW_SECONDS) -> int:
    """Count one asking in this window of so many seconds, at most an hour; returns how many there are now."""
    start = datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)
    until = start + timedelta(seconds=seconds) if seconds != WINDOW_SECONDS else None
    row = {"subject": subject, "start": start, "until": until}
    return int(straight.rows(_COUNT, row)[0][0])


def _left(moment: datetime, seconds: int) -> int:
    return seconds - int(moment.timestamp()) % seconds


def forget_old(session: Session, before: datetime) -> None:
    """Delete windows that are over."""
    over = or_(RateCount.kept_until.is_(None), RateCount.kept_until < before)
    session.execute(delete(RateCount).where(RateCount.window_start < before, over))
