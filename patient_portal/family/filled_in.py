"""Forms that a helper filled in, as the person meets them: ticked already, theirs to change, theirs to sign."""

from __future__ import annotations

from consent.authority.helping import Draft, filled_in, forget_form
from database.context import as_persons
from patient_portal.gates import current_actor
from patient_portal.wiring import wiring


def left_by_helper(effort: str) -> Draft | None:
    """What a helper last filled in for this effort; None when nobody did."""
    actor, parts = current_actor(), wiring()
    with parts.database.begin(as_persons(*actor.persons, account=actor.account_id)) as session:
        return filled_in(session, parts.keyring, actor.persons, effort)


def decided(effort: str) -> None:
    """The person has answered this effort: no form of a helper stands ticked before them any more."""
    actor, parts = current_actor(), wiring()
    with parts.database.begin(as_persons(*actor.persons, account=actor.account_id)) as session:
        forget_form(session, actor.persons, effort)
