"""A person's cipher, from the wrapped key kept for them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from database.keyring import KeyRing
from database.person_encryption import PersonCipher, new_wrapped_key, unwrap
from fhir_bridge.tables import PersonKey


def cipher_of(session: Session, ring: KeyRing, person: UUID) -> PersonCipher:
    """The person's cipher; SealBroken when there is no key or it was destroyed."""
    return unwrap(ring, person, session.scalar(select(PersonKey.wrapped).where(PersonKey.person_id == person)))


def cipher_for_new_content(session: Session, ring: KeyRing, person: UUID, now: datetime) -> PersonCipher:
    """The person's cipher, with a key made if they have none yet."""
    row = {"person_id": person, "wrapped": new_wrapped_key(ring, person), "created_at": now}
    session.execute(insert(PersonKey).values(row).on_conflict_do_nothing(index_elements=["person_id"]))
    return cipher_of(session, ring, person)
