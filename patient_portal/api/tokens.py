"""Access tokens for programs: random, short-lived, kept as a keyed index only."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from database.context import as_nobody
from database.keyring import KeyRing
from database.unit_of_work import Database
from patient_portal.api.assertion import Assertion, NotAccepted
from patient_portal.api.clients import ApiClient, client_called
from patient_portal.api.tables import ApiAssertion, ApiToken

LIFE = timedelta(seconds=300)  # SMART backend services: SHOULD be no more than five minutes


@dataclass(frozen=True)
class Granted:
    """Who asks, and what its token lets it do."""

    client: ApiClient
    scopes: frozenset[str]


def grant(database: Database, ring: KeyRing, assertion: Assertion, asked: Collection[str], now: datetime) -> str:
    """A token for what was asked and is allowed; NotAccepted when the assertion was used before.

    `asked` is checked by the caller to be part of the client's own scopes. What has run out is cleared on the way.
    """
    token = secrets.token_urlsafe(32)
    jti = ring.blind_index("api-assertion", f"{assertion.client.id}|{assertion.jti}")
    with database.begin(as_nobody()) as session:
        session.execute(delete(ApiAssertion).where(ApiAssertion.expires_at < now))
        session.execute(delete(ApiToken).where(ApiToken.expires_at < now))
        used = insert(ApiAssertion).values(jti_index=jti, expires_at=assertion.expires_at).on_conflict_do_nothing()
        if session.scalar(used.returning(ApiAssertion.jti_index)) is None:
            raise NotAccepted("used-before")
        session.execute(
            insert(ApiToken).values(
                token_index=ring.blind_index("api-token", token),
                client_id=assertion.client.id,
                scope=" ".join(sorted(asked)),
                expires_at=now + LIFE,
            )
        )
    return token


def redeem(
    database: Database, ring: KeyRing, clients: Collection[ApiClient], token: str, now: datetime
) -> Granted | None:
    """Who a token was given to; None when it is unknown, has run out, or its client was removed or narrowed."""
    index = ring.blind_index("api-token", token)
    with database.begin(as_nobody()) as session:
        row = session.execute(
            select(ApiToken.client_id, ApiToken.scope).where(ApiToken.token_index == index, ApiToken.expires_at > now)
        ).one_or_none()
    client = client_called(clients, row.client_id) if row else None
    if row is None or client is None:
        return None
    return Granted(client, frozenset(row.scope.split()) & client.scopes)
