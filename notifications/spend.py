"""Counts what texts cost against the budget, in the transaction that is about to send one."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from database.tables import RateCount
from notifications.budget import Ceiling, ceilings, held_by, over_all
from notifications.caps import window_start
from notifications.texting import Texting

log = structlog.get_logger()


def spend(
    session: Session, texting: Texting, number: str, person: UUID, segments: int, now: datetime, *, essential: bool
) -> datetime | None:
    """Count a text; None when it may go, else when to try again, and then nothing is counted.

    An essential text is counted and goes whatever the count is.
    """
    checked = ceilings(texting.budget, number=number, person=str(person))
    with session.begin_nested() as counting:
        reached = [_add(session, texting, one, segments, now) for one in checked]
        held = None if essential else held_by(checked, reached)
        if held is None:
            return None
        counting.rollback()
    say = log.error if held in over_all(texting.budget) else log.info
    say("text_budget_reached", part=held.name)
    return held.ends(now)


def spent(session: Session, texting: Texting, now: datetime) -> dict[str, int]:
    """How many segments were sent in all: in this `day` and in this `month`."""
    return {
        one.name: session.scalar(
            select(func.coalesce(func.sum(RateCount.count), 0)).where(
                RateCount.subject == _subject(texting, one), RateCount.window_start == window_start(now, one.seconds)
            )
        ) or 0
        for one in over_all(texting.budget)
    }  # fmt: skip


def _add(session: Session, texting: Texting, one: Ceiling, segments: int, now: datetime) -> int:
    row = {"subject": _subject(texting, one), "window_start": window_start(now, one.seconds), "count": segments,
           "kept_until": one.ends(now)}  # fmt: skip
    added = insert(RateCount).values(row)
    return session.execute(
        added.on_conflict_do_update(
            index_elements=["subject", "window_start"], set_={"count": RateCount.count + segments}
        ).returning(RateCount.count)
    ).scalar_one()


def _subject(texting: Texting, one: Ceiling) -> bytes:
    return texting.keys.blind_index("text-budget", one.subject)
