"""What went where, for the person it is about: read for the activity page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from research.delivery_rows import DELIVERED, NOTHING, PARKED, SENT, STOPPED, SUPERSEDED, WAITING
from research.due import DUE, SETTLED
from research.tables import DeliveryToEffort
from vocabulary.phrase import Phrase, phrase


@dataclass(frozen=True)
class Delivery:
    """One sending. `count` entries of the parts `categories`, under decision `version`; `says` is where it stands."""

    id: UUID
    effort_id: str
    store_id: str
    version: int
    categories: tuple[str, ...]
    count: int
    state: str
    says: Phrase
    made_at: datetime
    told_at: datetime | None
    answered_at: datetime | None
    attempts: int
    next_try_at: datetime | None


def says(state: str, count: int) -> Phrase:
    """The state of a delivery in a sentence."""
    if state == DELIVERED:
        return phrase("The study got %(count)s entries and signed for them.", count=count)
    if state == NOTHING:
        return phrase("Nothing in your record goes with what you chose, so nothing was sent.")
    if state == STOPPED:
        return phrase("Stopped, because you said no. It was not sent.")
    if state == SUPERSEDED:
        return phrase("Replaced by a newer one before it was sent.")
    if state == PARKED:
        return phrase("The study does not take it. We keep trying, and our staff can see it.")
    if state in (WAITING, SENT):
        return phrase("Not confirmed yet. We keep trying.")
    return phrase("About to be sent.")


def deliveries_of(session: Session, persons: Sequence[UUID], limit: int = 100) -> list[Delivery]:
    """The deliveries of these (linked) persons, newest first; the session is in their context."""
    found = session.scalars(
        select(DeliveryToEffort)
        .where(DeliveryToEffort.person_id.in_(persons), DeliveryToEffort.state.not_in((DUE, SETTLED)))
        .order_by(DeliveryToEffort.made_at.desc(), DeliveryToEffort.id)
        .limit(limit)
    )
    return [
        Delivery(
            id=row.id,
            effort_id=row.effort_id,
            store_id=row.store_id,
            version=row.decision_version,
            categories=tuple(row.categories),
            count=row.resource_count,
            state=row.state,
            says=says(row.state, row.resource_count),
            made_at=row.made_at,
            told_at=row.told_at,
            answered_at=row.answered_at,
            attempts=row.attempts,
            next_try_at=row.next_try_at,
        )
        for row in found
    ]
