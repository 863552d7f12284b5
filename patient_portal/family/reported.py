"""Whether somebody told us that a person died, and nobody has looked at it yet (HIP-16)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from consent.authority.deaths import waiting
from consent.tables import Person
from database.context import as_persons
from patient_portal.wiring import wiring


def was_reported(persons: Sequence[UUID]) -> bool:
    """Asked once, at sign-in: who was reported or found dead and signs in is shown a page to say that it is not so."""
    parts = wiring()
    with parts.database.begin(as_persons(*persons)) as session:
        dead = select(Person.id).where(Person.id.in_(persons), Person.died_on.is_not(None))
        return bool(waiting(session, parts.keyring, persons)) or session.scalar(dead.limit(1)) is not None
