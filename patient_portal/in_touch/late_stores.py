"""Tells a person by text, once, that a store has not confirmed in time: the promise of the status page, kept.

Stores with the same deadline share one cursor over the ledger: each decision is looked at once per deadline, when
that time has passed, and only for people who can be texted.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import takewhile

from consent.status import read_status
from database.context import as_persons
from notifications.confirmations import tell_of_delay
from notifications.texting import Texting
from patient_portal.choices.choosing import read_choices
from patient_portal.choices.ledger_reader import Placed, move_on, read_on, to_tell
from patient_portal.wiring import Wiring


def tell_of_late_stores(wiring: Wiring, texting: Texting, now: datetime) -> int:
    """Read on for each deadline there is; how many texts are now waiting that were not."""
    deadlines = {store.deadline for store in wiring.settings.stores if store.is_told}
    return sum(_read_on(wiring, texting, deadline, now) for deadline in sorted(deadlines))


def _read_on(wiring: Wiring, texting: Texting, deadline: timedelta, now: datetime) -> int:
    cursor = f"late:{int(deadline.total_seconds())}"
    due = list(takewhile(lambda one: one.recorded_at + deadline < now, read_on(texting, cursor)))
    if not due:
        return 0
    made = sum(
        tell_of_delay(texting, one.person, f"{one.press}/{cursor}", now)
        for one in to_tell(texting, due)
        if _is_late(wiring, texting, one, deadline, now)
    )
    move_on(texting, cursor, due[-1].position + 1, now)
    return made


def _is_late(wiring: Wiring, texting: Texting, one: Placed, deadline: timedelta, now: datetime) -> bool:
    mine = {store.id for store in wiring.settings.stores if store.deadline == deadline}
    with texting.database.begin(as_persons(one.person)) as session:
        choices = read_choices(session, wiring, (one.person,))
        rows = read_status(session, choices.history, choices.stores, choices.known, now)
    return any(row.overdue and row.store_id in mine for row in rows)
