"""What a store or an auditor may read of one person's decisions: found by name or by decision, in that person's rows.

The one place where a reader's right to a person is decided (SEC-08): a store reaches a person by the very names under
which it is told of them, and nobody else; an auditor any one person whose name or decision they already hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from consent.coverage import alias_reaches
from consent.feed.read_events import SUBJECT_SYSTEM
from consent.person_identity import Alias, alias_index, alias_place
from consent.store_config import Basis, Store
from consent.tables import PersonAlias, StoreSubject
from database.context import as_persons, as_propagation, knowing
from database.keyring import KeyRing
from database.unit_of_work import Database
from vocabulary.errors import NotFound

PERSON_SYSTEM = "urn:ietf:rfc:3986"
_OWNER = text("SELECT person_id FROM decision WHERE id = :id")
_CODE = text("SELECT person_id FROM store_subject WHERE store_id = :store AND subject = :value")


@dataclass(frozen=True)
class Named:
    """A person and the name by which this reader knows them."""

    person: UUID
    system: str
    value: str


def find_by_name(
    database: Database, ring: KeyRing, store: Store | None, issuers: Sequence[str], system: str, value: str
) -> Named | None:
    """The person whom the reader calls `system|value`; None when there is none, or none of the reader's.

    `issuers`: the hospitals that may have given the name. Two hospitals with one system and one number would be two
    people: then nobody is found, since it cannot be told who is meant.
    """
    if store is not None and store.basis is Basis.DONATION:
        return _by_code(database, store, system, value)
    indexes = [alias_index(ring, Alias(issuer, system, value)) for issuer in issuers]
    if not indexes:
        return None
    with database.begin(knowing(*indexes)) as session:
        rows = session.scalars(select(PersonAlias).where(PersonAlias.value_index.in_(indexes))).all()
        persons = {row.person_id for row in rows if store is None or _reaches(store, row)}
    return Named(persons.pop(), system, value) if len(persons) == 1 else None


def _by_code(database: Database, store: Store, system: str, value: str) -> Named | None:
    if system != SUBJECT_SYSTEM:
        return None
    with database.begin(as_propagation()) as session:
        person = session.scalar(_CODE, {"store": store.id, "value": value})
    return Named(person, system, value) if person is not None else None


def find_by_decision(database: Database, ring: KeyRing, store: Store | None, decision: UUID) -> Named:
    """The person who made `decision`, by the reader's own name for them; NotFound when the reader has none."""
    with database.begin(as_propagation()) as session:
        person = session.scalar(_OWNER, {"id": decision})
    if person is None:
        raise NotFound("consent")
    if store is None:
        return Named(person, PERSON_SYSTEM, f"urn:uuid:{person}")
    with database.begin(as_persons(person)) as session:
        named = _name_at(session, ring, store, person)
    if named is None:
        raise NotFound("consent")
    return named


def _name_at(session: Session, ring: KeyRing, store: Store, person: UUID) -> Named | None:
    if store.basis is Basis.DONATION:
        code = session.scalar(
            select(StoreSubject.subject).where(StoreSubject.store_id == store.id, StoreSubject.person_id == person)
        )
        return Named(person, SUBJECT_SYSTEM, code) if code else None
    rows = session.scalars(
        select(PersonAlias).where(PersonAlias.person_id == person).order_by(PersonAlias.created_at, PersonAlias.id)
    )
    for row in rows:
        if _reaches(store, row):
            return Named(person, row.system, ring.open(row.value_sealed, alias_place(row.id)).decode())
    return None


def _reaches(store: Store, row: PersonAlias) -> bool:
    return store.is_told and alias_reaches(store, row.practice_id or f"{row.issued_by}-main", row.system)
