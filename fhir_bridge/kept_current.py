"""Records of those who asked for it are brought up to date without them, once a day (SMART-36, FHIR-16).

Who is due is found by an index of due moments, so a pass costs what is due and not how many people there are. What is
due is asked for in a transaction of its own that moves the moment on: two workers ask once, a killed one loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from database.context import as_propagation
from database.unit_of_work import Database
from fhir_bridge.bring_in import ask_for_record
from fhir_bridge.connections import ACTIVE, REFRESH_EVERY
from fhir_bridge.smart.context import LaunchRole
from fhir_bridge.tables import Connection, Retrieval

AT_ONCE = 100
"""The most fetches that wait at a time for want of a worker; people who sign in go before them."""
BEHIND_PEOPLE = -10
_WAITING = text(
    "SELECT count(*) FROM (SELECT 1 FROM procrastinate_jobs WHERE status = 'todo' AND priority < 0 LIMIT :most) waiting"
)


@dataclass(frozen=True)
class Due:
    """A connection whose moment has come."""

    person: UUID
    connection: UUID
    provider_id: str
    at: datetime


def room_for(session: Session) -> int:
    """How many more fetches may wait now."""
    waiting = session.scalar(_WAITING, {"most": AT_ONCE})
    return max(0, AT_ONCE - int(waiting or 0))


def due_connections(database: Database, now: datetime, most: int) -> list[Due]:
    """Whose record is due, the longest due first; a worker asks, in the propagation role."""
    due = Connection.refresh_at
    query = select(Connection.person_id, Connection.id, Connection.provider_id, due).where(due <= now)
    with database.begin(as_propagation()) as session:
        rows = session.execute(query.order_by(due).limit(most)).all()
    return [Due(person, connection, provider, at) for person, connection, provider, at in rows if at is not None]


def representative_of(session: Session, due: Due) -> UUID | None:
    """The account of whoever acts for the person by this connection; None when it is the person's own."""
    by_proxy = Connection.id == due.connection, Connection.relation == LaunchRole.PROXY.value
    return session.scalar(select(Connection.account_id).where(*by_proxy))


def ask_when_due(session: Session, due: Due, now: datetime, *, may: bool) -> UUID | None:
    """Ask for the record and move the moment on, in the person's context. None when somebody else did, when it came in
    within the day, or when we `may` not: the hospital is not known any more, or whoever connected it for the person may
    not read the record today."""
    newest = session.scalar(
        select(func.max(Retrieval.started_at)).where(
            Retrieval.person_id == due.person, Retrieval.connection_id == due.connection
        )
    )
    is_fresh = newest is not None and newest + REFRESH_EVERY > now
    mine = update(Connection).where(
        Connection.id == due.connection, Connection.refresh_at == due.at, Connection.state == ACTIVE
    )
    next_at = newest + REFRESH_EVERY if newest is not None and is_fresh else now + REFRESH_EVERY
    moved = session.scalar(mine.values(refresh_at=next_at).returning(Connection.id))
    if moved is None or is_fresh or not may:
        return None
    return ask_for_record(
        session, person=due.person, connection=due.connection, provider_id=due.provider_id, now=now
    )  # fmt: skip
