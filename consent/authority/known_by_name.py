"""Who helps a person or acts for them, by name, so that the history can say who did what (HIP-15, abuse case 11)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from consent.authority.helping import helpers_of
from consent.authority.stated import statements_of
from database.keyring import KeyRing
from vocabulary.actor import Actor, ActorKind


def family_names(session: Session, ring: KeyRing, persons: Sequence[UUID], reader: Actor) -> dict[UUID, str]:
    """Names by account, as representatives gave them, and by helper, as the person called them.

    Helpers are named to the person alone: whoever acts for somebody is not told whom else they trust.
    """
    found = {one.authority.account: one.name for one in statements_of(session, ring, persons)}
    if reader.kind is ActorKind.PATIENT:
        found |= {one.id: one.name for one in helpers_of(session, ring, persons)}
    return found
