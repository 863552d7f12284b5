"""Giving the grant back: the hospital is told where it listens, and ours is gone whatever it says (SMART-49)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, or_, select

from database.context import as_persons
from database.keyring import KeyRing
from database.unit_of_work import Database
from fhir_bridge import connections
from fhir_bridge.person_ciphers import cipher_of
from fhir_bridge.providers import Provider
from fhir_bridge.smart.client import SmartClient
from fhir_bridge.smart.context import LaunchRole
from fhir_bridge.tables import Connection
from vocabulary.errors import NotFound, PortalError


def connections_of(database: Database, account: UUID, persons: tuple[UUID, ...]) -> list[Connection]:
    """The account's connections, and those that the same person made from their other hospitals; newest first.

    Somebody else who may see the person's record (a proxy) has connections of their own, which are not these.
    """
    own = and_(Connection.person_id.in_(persons), Connection.relation == LaunchRole.SELF.value)
    with database.begin(as_persons(*persons, account=account)) as session:
        mine = select(Connection).where(or_(Connection.account_id == account, own))
        return list(session.scalars(mine.order_by(Connection.created_at.desc(), Connection.id)))


def disconnect(
    database: Database,
    ring: KeyRing,
    smart: SmartClient,
    provider: Provider,
    *,
    account: UUID,
    persons: tuple[UUID, ...],
    connection: UUID,
    now: datetime,
) -> bool:
    """End a connection; True when the hospital confirmed. The record stays, and no choice moves (X-02).

    Our tokens are deleted first, so that nothing can be fetched even if the hospital never answers.
    """
    with database.begin(as_persons(*persons, account=account)) as session:
        row = session.get(Connection, connection)
        if row is None or row.provider_id != provider.id or not _may_end(row, account, persons):
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


def _may_end(row: Connection, account: UUID, persons: tuple[UUID, ...]) -> bool:
    return row.account_id == account or (row.person_id in persons and row.relation == LaunchRole.SELF.value)
