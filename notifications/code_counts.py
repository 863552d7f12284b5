"""Counts codes asked for, so that nobody can make us text strangers by the thousand (threats.md abuse 14)."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from database.tables import RateCount
from notifications.caps import CODE_CAPS, window_start
from notifications.numbers import PREFIX_DIGITS
from notifications.texting import Texting
from vocabulary.errors import TooMany


def count_code(session: Session, texting: Texting, to: str, *, account: str, address: str, now: datetime) -> None:
    """Count one code against every ceiling; TooMany when one is reached, and then nothing is counted or sent.

    `to` is a number (E.164) or a mail address; the domain of an address is its prefix. `address` is the browser's.
    """
    prefix = to.rpartition("@")[2] if "@" in to else to[:PREFIX_DIGITS]
    counted = {
        "number": to, "number-day": to, "account": account, "address": address, "prefix": prefix, "service": "all",
    }  # fmt: skip
    for cap in CODE_CAPS:
        start = window_start(now, cap.seconds)
        subject = texting.keys.blind_index("code-count", f"{cap.what}:{counted[cap.what]}")
        until = start + timedelta(seconds=cap.seconds)
        added = insert(RateCount).values(subject=subject, window_start=start, count=1, kept_until=until)
        reached = session.execute(
            added.on_conflict_do_update(
                index_elements=["subject", "window_start"], set_={"count": RateCount.count + 1}
            ).returning(RateCount.count)
        ).scalar_one()
        if reached > cap.count:
            wait = ceil(cap.seconds - (now - start).total_seconds())
            raise TooMany("codes", retry_after_seconds=wait)
