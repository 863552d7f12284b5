"""Which person a provider's patient is: found by an alias, or made with one (decisions, Who is who).

Decisions hang on the person, so a nurse may create one for somebody who never signed in; the first sign-in with the
same alias finds them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from consent.tables import Person, PersonAlias
from database.context import Context, widen
from database.keyring import KeyRing

PATIENT_ID = "fhir-patient-id"


@dataclass(frozen=True)
class Alias:
    """One name for a person: the provider that issued it, the identifier system, and the value.

    `system` is a URI such as an MRN's OID, or `fhir-patient-id` for the id of the Patient resource.
    """

    issued_by: str
    system: str
    value: str = field(repr=False)
    practice: str | None = None

    def index(self, ring: KeyRing) -> bytes:
        """The keyed index under which the alias is found."""
        return ring.blind_index(f"alias:{self.issued_by}:{self.system}", self.value)


def find_person(session: Session, ring: KeyRing, alias: Alias) -> UUID | None:
    """The person with this alias; the session's context must know the alias's index (`knowing`)."""
    return session.scalar(select(PersonAlias.person_id).where(PersonAlias.value_index == alias.index(ring)))


def person_for(
    session: Session, ring: KeyRing, alias: Alias, *, language: str | None, account: UUID | None, now: datetime
) -> tuple[UUID, bool]:
    """The person with this alias, made if there is none; and whether it was made now.

    Afterwards the session's context is that person. Two first sign-ins at once meet at the alias's unique index: the
    second waits for the first, fails, and is tried again by its caller.
    """
    index = alias.index(ring)
    widen(session, Context(lookups=(index,), account=account))
    found = find_person(session, ring, alias)
    person = found or uuid4()
    widen(session, Context(persons=(person,), lookups=(index,), account=account))
    if found is None:
        session.add(Person(id=person, language=language, zone=None, created_at=now))
        session.flush()
        add_aliases(session, ring, person, [alias], now)
    return person, found is None


def add_aliases(session: Session, ring: KeyRing, person: UUID, aliases: Iterable[Alias], now: datetime) -> list[Alias]:
    """Give a person more names; returns those that already belong to somebody else, for a staff task.

    The context must be the person and know the aliases' indexes.
    """
    elsewhere = []
    for alias in aliases:
        alias_id, index = uuid4(), alias.index(ring)
        row = {
            "id": alias_id, "person_id": person, "issued_by": alias.issued_by, "practice_id": alias.practice,
            "system": alias.system, "value_index": index, "created_at": now,
            "value_sealed": ring.seal(alias.value.encode(), alias_place(alias_id)),
        }  # fmt: skip
        session.execute(insert(PersonAlias).values(row).on_conflict_do_nothing())
        owner = session.scalar(select(PersonAlias.person_id).where(PersonAlias.value_index == index))
        if owner != person:
            elsewhere.append(alias)
    return elsewhere


def alias_place(alias_id: UUID) -> str:
    """What binds a sealed alias to its row; sealed with the ring, so that senders need no person's key."""
    return f"person_alias:value:{alias_id}"
