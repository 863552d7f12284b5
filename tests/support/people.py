"""People for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

from consent.tables import Person
from database.context import as_persons
from database.person_encryption import new_wrapped_key
from fhir_bridge.tables import PersonKey
from tests.support.postgres import TestDatabase

LONG_AGO = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def add_person(database: TestDatabase, language: str = "en") -> UUID:
    """A person with a data key, in the database; returns the id."""
    person = uuid4()
    with database.web.begin(as_persons(person)) as session:
        session.add(Person(id=person, language=language, zone=None, created_at=LONG_AGO))
        session.add(PersonKey(person_id=person, wrapped=new_wrapped_key(database.keyring, person),
                              created_at=LONG_AGO, destroyed_at=None))  # fmt: skip
    return person
