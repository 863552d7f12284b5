"""Giving the grant back: the hospital is told where it listens, and ours is gone whatever it says (SMART-49)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from database.context import as_persons
from database.keyring import KeyRing
from database.unit_of_work import Database
from fhir_bridge import connections
from fhir_bridge.person_ciphers import cipher_of
from fhir_bridge.providers import Provider
from fhir_bridge.smart.client import SmartClient
from fhir_bridge.tables import Connection
from vocabulary.errors import NotFound, PortalError


def connections_of(database: Database, account: UUID, persons: tuple[UUID, ...]) -> list[Connection]:
    """The account's connections, newest first."""
    with database.begin(as_persons(*persons, account=account)) as session:
        mine = select(Connection).where(Connection.account_id == account).order_by(Connection.created_at.desc())
        return list(session.scalars(mine))


def disconnect(
    database: Database,
    ring: KeyRing,
    smart: SmartClient,
    provider: Provider,
    *,
    account: UUID,
    person: UUID,
    connection: UUID,
    now: datetime,
) -> bool:
    """End a connection; True when the hospital confirmed. The record stays, and no choice moves (X-02).

    Our tokens are deleted first, so that nothing can be fetched even if the hospital never answers.
    """
    with database.begin(as_persons(person, account=account)) as session:
        row = session.get(Connection, connection)
        if row is None or row.account_id != account or row.provider_id != provider.id:
            raise NotFound("connection")
        held = connections.held_tokens(session, cipher_of(session, ring, row.person_id), connection, lock=True)
        connections.drop_tokens(session, connection, connections.ENDED, now)
    if held is None:
        return False
    try:
        if held.refresh:
            return smart.revoke(provider, now, token=held.refresh, hint="refresh_token")
        return smart.revoke(provider, now, token=held.access, hint="access_token")
    except PortalError:
        return False
