"""Accounts, connections and their tokens: who signed in, for whom, at which provider, and with what grant.

An account is (issuer, subject), never an e-mail or a name (SMART-63). A connection binds account, person, provider
and patient id for good; tokens are sealed and replaced as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import orjson
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from database.keyring import KeyRing
from database.person_encryption import PersonCipher
from fhir_bridge.smart.context import LaunchRole
from fhir_bridge.smart.grant import Grant
from fhir_bridge.smart.identity import Identity
from fhir_bridge.smart.refresh import Binding, RefreshedTokens
from fhir_bridge.tables import Account, Connection, Token
from vocabulary.errors import NotFound

ACTIVE, RECONNECT, ENDED, STOPPED = "active", "reconnect-needed", "disconnected", "stopped"
REFRESH_EVERY = timedelta(days=1)


@dataclass(frozen=True)
class HeldTokens:
    """A connection's tokens, opened. `turn` rises with each refresh, so that two workers can tell who was first."""

    expires_at: datetime | None
    turn: int
    access: str = field(repr=False)
    refresh: str | None = field(repr=False)


@dataclass(frozen=True)
class OpenConnection:
    """A connection and what is bound to it."""

    id: UUID
    person: UUID
    provider_id: str
    scope: str
    state: str
    binding: Binding = field(repr=False)


def subject_index(ring: KeyRing, issuer: str, subject: str) -> bytes:
    """The keyed index of an account."""
    return ring.blind_index("account", f"{issuer}\x00{subject}")


def sign_in_account(session: Session, ring: KeyRing, grant: Grant, now: datetime) -> UUID:
    """The account of the verified identity, made at its first sign-in. The context must know its index."""
    kind = "care-team" if grant.role is LaunchRole.CARE_TEAM else "person"
    return account_of(session, ring, grant.identity, kind, now)


def account_of(session: Session, ring: KeyRing, identity: Identity, kind: str, now: datetime) -> UUID:
    """The account of a verified identity that acts as `kind`; as `sign_in_account` for those who are no patients."""
    index = subject_index(ring, identity.issuer, identity.subject)
    row = {"id": uuid4(), "issuer": identity.issuer, "subject_index": index, "kind": kind}
    made = (
        insert(Account)
        .values(row | {"created_at": now, "signed_in_at": now})
        .on_conflict_do_update(index_elements=["subject_index"], set_={"signed_in_at": now})
        .returning(Account.id)
    )
    account = session.scalar(made)
    assert account is not None
    return account


def connect(
    session: Session, ring: KeyRing, cipher: PersonCipher, grant: Grant, *, account: UUID, now: datetime
) -> UUID:
    """The connection of this account to this patient at this provider, active again, with the new tokens."""
    assert grant.patient is not None, "a grant for a record names its patient"
    index = ring.blind_index("patient", f"{grant.provider_id}\x00{grant.patient}")
    found = session.scalar(
        select(Connection.id).where(
            Connection.account_id == account,
            Connection.provider_id == grant.provider_id,
            Connection.patient_index == index,
        )
    )
    connection = found or uuid4()
    if found is None:
        bound = {"issuer": grant.identity.issuer, "subject": grant.identity.subject, "patient": grant.patient}
        session.add(
            Connection(
                id=connection,
                account_id=account,
                person_id=cipher.person,
                provider_id=grant.provider_id,
                patient_index=index,
                patient_sealed=cipher.seal(orjson.dumps(bound), f"connection:patient:{connection}"),
                relation=grant.role.value,
                state=ACTIVE,
                scope=grant.scope,
                created_at=now,
                ended_at=None,
                refresh_at=_refresh_at(grant.scope, now),
            )
        )
        session.flush()
    else:
        again = update(Connection).where(Connection.id == found)
        refresh_at = _refresh_at(grant.scope, now)
        session.execute(again.values(state=ACTIVE, scope=grant.scope, ended_at=None, refresh_at=refresh_at))
    keep_tokens(session, cipher, connection, grant.access_token, grant.refresh_token, grant.expires_at, now)
    return connection


def keep_tokens(
    session: Session,
    cipher: PersonCipher,
    connection: UUID,
    access: str,
    refresh: str | None,
    expires_at: datetime | None,
    now: datetime,
) -> None:
    """Replace a connection's tokens as a whole; the old refresh token is gone with the same commit (SMART-47)."""
    row = {
        "person_id": cipher.person,
        "access_sealed": cipher.seal(access.encode(), f"token:access:{connection}"),
        "refresh_sealed": cipher.seal(refresh.encode(), f"token:refresh:{connection}") if refresh else None,
        "expires_at": expires_at,
        "updated_at": now,
    }
    statement = insert(Token).values(row | {"connection_id": connection, "turn": 1})
    session.execute(
        statement.on_conflict_do_update(index_elements=["connection_id"], set_=row | {"turn": Token.turn + 1})
    )


def keep_refreshed(
    session: Session, cipher: PersonCipher, connection: UUID, tokens: RefreshedTokens, now: datetime
) -> None:
    keep_tokens(session, cipher, connection, tokens.access_token, tokens.refresh_token, tokens.expires_at, now)
    session.execute(update(Connection).where(Connection.id == connection).values(scope=tokens.scope))


def held_tokens(session: Session, cipher: PersonCipher, connection: UUID, *, lock: bool = False) -> HeldTokens | None:
    """The tokens of a connection; with `lock` nobody else refreshes them until this transaction ends."""
    query = select(Token).where(Token.connection_id == connection)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        return None
    refresh = cipher.open(row.refresh_sealed, f"token:refresh:{connection}").decode() if row.refresh_sealed else None
    access = cipher.open(row.access_sealed, f"token:access:{connection}").decode()
    return HeldTokens(row.expires_at, row.turn, access, refresh)


def drop_tokens(session: Session, connection: UUID, state: str, now: datetime) -> None:
    """Delete the tokens and say why the connection is no longer active."""
    session.execute(delete(Token).where(Token.connection_id == connection))
    ended = now if state in {ENDED, STOPPED} else None
    over = {"state": state, "ended_at": ended, "refresh_at": None}
    session.execute(update(Connection).where(Connection.id == connection).values(over))


def _refresh_at(scope: str, now: datetime) -> datetime | None:
    """When a record is next brought up to date without the person; never where offline access was not granted."""
    return now + REFRESH_EVERY if "offline_access" in scope.split() else None


def open_connection(session: Session, cipher: PersonCipher, connection: UUID) -> OpenConnection:
    """A connection of the person in context; NotFound for any other."""
    row = session.get(Connection, connection)
    if row is None or row.person_id != cipher.person:
        raise NotFound("connection")
    bound = orjson.loads(cipher.open(row.patient_sealed, f"connection:patient:{connection}"))
    return OpenConnection(row.id, row.person_id, row.provider_id, row.scope, row.state, Binding(**bound))
