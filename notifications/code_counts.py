"""Counts codes asked for, so that nobody can make us text strangers by the thousand (threats.md abuse 14)."""

from __future__ import annotations

from datetime import datetime
from math import ceil

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from database.tables import RateCount
from notifications.caps import CODE_CAPS, window_start
from notifications.numbers import PhoneNumber
from notifications.texting import Texting
from vocabulary.errors import TooMany

PREFIX_DIGITS = 8
"""`+1617555`: the block of numbers that a pumping fraud would share."""


def count_code(
    session: Session, texting: Texting, number: PhoneNumber, *, account: str, address: str, now: datetime
) -> None:
    """Count one code against every ceiling; TooMany when one is reached, and then nothing is counted or sent."""
    counted = {
        "number": number.e164,
        "number-day": number.e164,
        "account": account,
        "address": address,
        "prefix": number.e164[:PREFIX_DIGITS],
        "service": "all",
    }
    for cap in CODE_CAPS:
        start = window_start(now, cap.seconds)
        subject = texting.keys.blind_index("code-count", f"{cap.what}:{counted[cap.what]}")
        added = insert(RateCount).values(subject=subject, window_start=start, count=1)
        reached = session.execute(
            added.on_conflict_do_update(
                index_elements=["subject", "window_start"], set_={"count": RateCount.count + 1}
            ).returning(RateCount.count)
        ).scalar_one()
        if reached > cap.count:
            wait = ceil(cap.seconds - (now - start).total_seconds())
            raise TooMany("codes", retry_after_seconds=wait)
