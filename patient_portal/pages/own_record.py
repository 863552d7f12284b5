"""The signed-in person's record, opened for a page: whole, or for who acts for a minor without the minor's own care."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from flask import request
from sqlalchemy.orm import Session

from database.context import as_persons
from fhir_bridge.own_words import OwnWords, Statement
from fhir_bridge.record import OwnRecord
from patient_portal.family.own_care import own_reading, told_apart
from patient_portal.family.standing import may_of_request
from patient_portal.gates import current_actor
from patient_portal.wiring import wiring


@contextmanager
def own_session() -> Iterator[Session]:
    """A transaction that reaches the signed-in person's rows."""
    actor = current_actor()
    context = as_persons(*actor.persons, account=actor.account_id)
    with own_reading(wiring(), context, apart=may_of_request().own_care) as session:
        yield session


@contextmanager
def own_record() -> Iterator[OwnRecord]:
    """The signed-in person's record."""
    with own_session() as session:
        yield OwnRecord(session, wiring().keyring, current_actor().persons)


def shown_statements(own: OwnWords) -> tuple[Statement, ...]:
    """What the person said, without their own care for whoever acts for a minor."""
    return told_apart(own.statements) if may_of_request().own_care else own.statements


def provider_names() -> dict[str, str]:
    """What each configured hospital calls itself, by id."""
    return {one.id: one.name for one in wiring().settings.providers}


def entry_named(name: str) -> UUID | None:
    """An entry named in the address, for paging; anything else is no mark."""
    try:
        return UUID(request.args.get(name, ""))
    except ValueError:
        return None
