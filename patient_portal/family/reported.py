"""Whether somebody told us that a person died, and nobody has looked at it yet (HIP-16)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from consent.authority.deaths import waiting
from database.context import as_persons
from patient_portal.wiring import wiring


def was_reported(persons: Sequence[UUID]) -> bool:
    """Asked once, at sign-in: who is reported dead and signs in is shown a page to say that it is a mistake."""
    parts = wiring()
    with parts.database.begin(as_persons(*persons)) as session:
        return bool(waiting(session, parts.keyring, persons))
