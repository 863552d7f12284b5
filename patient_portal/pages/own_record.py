"""The signed-in person's record, opened for a page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from flask import request
from sqlalchemy.orm import Session

from database.context import as_persons
from fhir_bridge.record import OwnRecord
from patient_portal.gates import current_actor
from patient_portal.wiring import wiring


@contextmanager
def own_session() -> Iterator[Session]:
    """A transaction that reaches the signed-in person's rows."""
    actor = current_actor()
    with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as session:
        yield session


@contextmanager
def own_record() -> Iterator[OwnRecord]:
    """The signed-in person's record."""
    with own_session() as session:
        yield OwnRecord(session, wiring().keyring, current_actor().persons)


def provider_names() -> dict[str, str]:
    """What each configured hospital calls itself, by id."""
    return {one.id: one.name for one in wiring().settings.providers}


def entry_named(name: str) -> UUID | None:
    """An entry named in the address, for paging; anything else is no mark."""
    try:
        return UUID(request.args.get(name, ""))
    except ValueError:
        return None
