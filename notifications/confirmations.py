"""Texts that follow from the ledger: a decision was recorded, by the person or for them; a store is late.

Called by a reader of the ledger with its own cursor, so every call may come again: the reference makes it single.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from notifications.tell import Told, tell
from notifications.texting import Texting


def confirm_decision(
    texting: Texting,
    person: UUID,
    reference: str,
    *,
    by_someone_else: bool = False,
    refusing: bool = False,
    now: datetime,
) -> Told:
    """Tell that there is something to see, by the ways the person chose.

    `reference` is unique per decision (its id). `by_someone_else` is true when a care team acted for the person: they
    are told even if only a letter is left. `refusing`: an opt-out, whose confirmation no used-up budget holds back.
    """
    topic = "care-team" if by_someone_else else "confirmations"
    return tell(texting, person, topic, reference, now, essential=refusing or by_someone_else)


def tell_of_delay(texting: Texting, person: UUID, reference: str, now: datetime) -> bool:
    """Tell that a store has not confirmed in time; `reference` is unique per decision and store."""
    return tell(texting, person, "late", reference, now).new
