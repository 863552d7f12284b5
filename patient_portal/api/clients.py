"""The programs of `clients.toml`: who may read here, by which keys, and how much (SMART Backend Services)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from vocabulary.config_file import ConfigError, ConfigTable, read_tables

SCOPES = (
    "system/Consent.rs",
    "system/Provenance.rs",
    "system/AuditEvent.rs",
    "system/Subscription.rs",
    "system/decision.r",
)
"""What can be granted. `system/decision.r` is ours: to ask whether a store may use data of a person."""


class ClientRole(StrEnum):
    """A store sees what it is told of; an auditor any one person by name or decision; a pipeline only asks."""

    STORE = "store"
    AUDITOR = "auditor"
    PIPELINE = "pipeline"


MAY_HAVE: dict[ClientRole, frozenset[str]] = {
    ClientRole.STORE: frozenset(SCOPES) - {"system/AuditEvent.rs"},
    ClientRole.AUDITOR: frozenset(SCOPES) - {"system/Subscription.rs", "system/decision.r"},
    ClientRole.PIPELINE: frozenset({"system/decision.r"}),
}


@dataclass(frozen=True)
class ApiClient:
    """One `[[client]]`. `stores`: for a store the one it is, for a pipeline those it may ask about."""

    id: str
    name: str
    role: ClientRole
    stores: frozenset[str]
    scopes: frozenset[str]
    keys: KeySet

    def __repr__(self) -> str:
        return f"ApiClient({self.id!r})"


_KEYS = {"id", "name", "role", "stores", "scopes", "jwks"}


def load_clients(path: Path, known_stores: Collection[str]) -> tuple[ApiClient, ...]:
    """All clients of the file at `path`; ConfigError names file, line and remedy."""
    clients: list[ApiClient] = []
    for table in read_tables(path, "client"):
        table.refuse_unknown(_KEYS)
        client = _client(table, path.parent, known_stores)
        if any(other.id == client.id for other in clients):
            raise table.error("id", f"{client.id!r} is used twice", "Give each client its own id")
        clients.append(client)
    return tuple(clients)


def _client(table: ConfigTable, folder: Path, known_stores: Collection[str]) -> ApiClient:
    client_id = table.text("id")
    if not re.fullmatch(r"[a-z][a-z0-9-]{1,62}", client_id):
        raise table.error("id", f"is {client_id!r}", "Use small letters, digits and hyphens, such as registry-audit")
    role = ClientRole(table.text("role", one_of=[role.value for role in ClientRole]))
    return ApiClient(
        id=client_id,
        name=table.text("name"),
        role=role,
        stores=_stores(table, role, known_stores),
        scopes=_scopes(table, role),
        keys=_keys(table, folder),
    )


def _stores(table: ConfigTable, role: ClientRole, known: Collection[str]) -> frozenset[str]:
    stores = table.texts("stores")
    for store in stores:
        if store not in known:
            raise table.error("stores", f"names {store!r}, which is no store", f"Known: {', '.join(sorted(known))}")
    if role is ClientRole.STORE and len(stores) != 1:
        raise table.error("stores", "must name exactly the store that this client is", 'Write stores = ["its-id"]')
    if role is ClientRole.PIPELINE and not stores:
        raise table.error("stores", "is empty", "List the stores whose use of data it may ask about")
    if role is ClientRole.AUDITOR and stores:
        raise table.error("stores", "does not go with an auditor, who is bound to no store", "Remove the line")
    return frozenset(stores)


def _scopes(table: ConfigTable, role: ClientRole) -> frozenset[str]:
    scopes = frozenset(table.text("scopes").split())
    beyond = sorted(scopes - MAY_HAVE[role])
    if beyond:
        allowed = " ".join(sorted(MAY_HAVE[role]))
        raise table.error("scopes", f"has {beyond[0]!r}, which a {role.value} may not have", f"Choose from: {allowed}")
    return scopes


def _keys(table: ConfigTable, folder: Path) -> KeySet:
    scheme, _, where = table.text("jwks").partition(":")
    if scheme != "file" or not where:
        raise table.error(
            "jwks", "must be written file:PATH", "Keep the client's public keys in a file beside this one"
        )
    try:
        document = orjson.loads((folder / where).read_bytes())
        public = [_public(key) for key in document["keys"]]
        return KeySet.import_key_set({"keys": public})
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError, JoseError):
        raise table.error(
            "jwks", f"{where} is not a set of public keys", "Write {'keys': [...]} as RFC 7517 says"
        ) from None


def _public(key: Any) -> dict[str, Any]:
    """A key that can verify RS384 or ES384, without its private half; ValueError for any other."""
    if not isinstance(key, dict):
        raise TypeError("a key is an object")
    good = (key.get("kty") == "RSA") or (key.get("kty") == "EC" and key.get("crv") == "P-384")
    if not good or not key.get("kid") or "d" in key:
        raise ValueError("a private key, a key without `kid`, or of another kind")
    return key


def client_called(clients: Collection[ApiClient], client_id: object) -> ApiClient | None:
    return next((client for client in clients if client.id == client_id), None)


__all__ = ["SCOPES", "ApiClient", "ClientRole", "ConfigError", "client_called", "load_clients"]
