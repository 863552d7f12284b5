"""How each kind of store is spoken to: which addresses and secrets go with it, checked at start."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from vocabulary.config_file import ConfigTable


class Kind(StrEnum):
    """What a store is: something that takes signed posts, a FHIR server, a warehouse, or a stream."""

    WEBHOOK = "webhook"
    FHIR = "fhir"
    SQL = "sql"
    STREAM = "stream"


class Transport(StrEnum):
    """The wire form: a Subscriptions R5 Backport notification Bundle, one compact JSON line per event, or what the
    kind itself prescribes (rows of a table, resources of a FHIR server)."""

    BACKPORT = "backport"
    NDJSON = "ndjson"
    NATIVE = "native"


TRANSPORTS = {
    Kind.WEBHOOK: (Transport.BACKPORT, Transport.NDJSON),
    Kind.FHIR: (Transport.NATIVE,),
    Kind.SQL: (Transport.NATIVE,),
    Kind.STREAM: (Transport.NDJSON,),
}
SCHEMES = {
    Kind.WEBHOOK: ("https", "http"),
    Kind.FHIR: ("https", "http"),
    Kind.SQL: ("postgresql",),
    Kind.STREAM: ("tls", "nats", "kafka"),
}
EXAMPLES = {
    Kind.WEBHOOK: "https://host/path without user or #",
    Kind.FHIR: "https://host/fhir without user or #",
    Kind.SQL: "postgresql://host:5432/database, and user and password in the secret",
    Kind.STREAM: "tls://host:4222/subject or kafka://host:9092/topic, and user and password in `login`",
}
PLAIN = {"http": "https", "nats": "tls"}
CLIENTS = {"nats": "nats", "tls": "nats", "kafka": "confluent_kafka"}
MOST_ENTRIES = 500
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def read_transport(table: ConfigTable, kind: Kind) -> Transport:
    """The wire form; only a webhook has a choice, so the others need not say it."""
    allowed = TRANSPORTS[kind]
    named = table.text("transport", None if len(allowed) > 1 else allowed[0].value, one_of=[t.value for t in Transport])
    transport = Transport(named)
    if transport not in allowed:
        remedy = f"Use one of: {', '.join(allowed)}" if len(allowed) > 1 else "Remove the line"
        raise table.error("transport", f"is {named!r}, which does not go with kind = {kind.value!r}", remedy)
    return transport


def read_endpoint(table: ConfigTable, kind: Kind, network: str, production: bool) -> str:
    """The address of the store; plain text on the wire is for `network = "private"` only."""
    endpoint = table.text("endpoint")
    parts = urlsplit(endpoint)
    try:
        parts.port  # noqa: B018 - a port that is not a number raises here
    except ValueError:
        raise table.error("endpoint", "has a port that is not a number", "Write https://host:443/path") from None
    if parts.scheme not in SCHEMES[kind] or not parts.hostname or parts.username or parts.fragment:
        what = "a plain web address" if "http" in SCHEMES[kind] else f"an address for kind = {kind.value!r}"
        raise table.error("endpoint", f"is not {what}", f"Write {EXAMPLES[kind]}")
    if kind in (Kind.SQL, Kind.STREAM):
        _check_place(table, kind, parts)
    if network == "private":
        if production:
            raise table.error("network", "may not be private in production", 'Use network = "public" and https')
        if parts.hostname not in _LOOPBACK:
            raise table.error("endpoint", "is not on this machine", 'network = "private" allows localhost only')
    elif parts.scheme in PLAIN:
        secure = PLAIN[parts.scheme]
        remedy = f'Use {secure}; {parts.scheme} is for network = "private" on this machine'
        raise table.error("endpoint", f"is not {secure}", remedy)
    return endpoint


def _check_place(table: ConfigTable, kind: Kind, parts: SplitResult) -> None:
    """One database, subject or topic after the host, and nothing else; and the client library is there."""
    place = parts.path.removeprefix("/")
    if parts.query or not place or not all(c.isascii() and (c.isalnum() or c in "._-") for c in place):
        what = "one database" if kind is Kind.SQL else "one subject or topic of letters, digits, . _ and -"
        raise table.error("endpoint", f"does not name {what}", f"Write {EXAMPLES[kind]}")
    library = CLIENTS.get(parts.scheme)
    if library is not None and find_spec(library) is None:
        problem = f"is 'stream', and the library {library} is not installed"
        raise table.error("kind", problem, "Install the extra: pip install 'patient-portal[streams]'")


def read_secrets(table: ConfigTable, kind: Kind, folder: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The signing secrets of a webhook or a stream, newest first; a FHIR server and a warehouse sign nothing."""
    if kind is Kind.SQL:
        return ()
    if kind is Kind.FHIR:
        if "secrets" in table.values:
            raise table.error("secrets", "does not go with kind = 'fhir'", "Remove the line: it signs in by client_id")
        return ()
    names = table.texts("secrets")
    if not 1 <= len(names) <= 2:
        raise table.error("secrets", "must name one secret, or two while one replaces the other", "List one or two")
    return tuple(_signing_secret(table, name, folder, environment) for name in names)


def read_login(
    table: ConfigTable, kind: Kind, endpoint: str, folder: Path, environment: Mapping[str, str]
) -> str | None:
    """What the store's server asks of us: a warehouse's DSN (its one secret), or `user:password` of a stream."""
    if kind is Kind.SQL:
        names = table.texts("secrets")
        if len(names) != 1:
            raise table.error("secrets", "must name one secret, the warehouse's DSN", 'Write secrets = ["env:NAME"]')
        return _checked_dsn(table, resolve_secret(table, "secrets", names[0], folder, environment), endpoint)
    if "login" not in table.values:
        return None
    if kind is not Kind.STREAM:
        raise table.error("login", f"does not go with kind = {kind.value!r}", "Remove the line")
    login = resolve_secret(table, "login", table.text("login"), folder, environment)
    user, colon, password = login.partition(":")
    if not (user and colon and password):
        raise table.error("login", "is not user:password", "Write the secret as user:password")
    return login


def read_client(table: ConfigTable, kind: Kind, network: str) -> tuple[str | None, str | None]:
    """`client_id` and `token_url` of a FHIR server (SMART Backend Services); none is for a private network only."""
    client_id = table.text("client_id") if "client_id" in table.values else None
    token_url = table.text("token_url") if "token_url" in table.values else None
    named = "client_id" if client_id else "token_url"
    if kind is not Kind.FHIR:
        if client_id or token_url:
            raise table.error(named, f"does not go with kind = {kind.value!r}", "Remove the line")
        return None, None
    if (client_id is None) is not (token_url is None) or (network != "private" and client_id is None):
        remedy = "Add both: the id under which our keys are known there, and its token endpoint"
        raise table.error(named, "and its partner are needed, client_id and token_url", remedy)
    if token_url is not None and not _is_safe(token_url, network):
        raise table.error("token_url", "is not https", "Use https; http is for localhost on a private network")
    return client_id, token_url


def read_max_entries(table: ConfigTable, kind: Kind) -> int:
    """How many entries a FHIR server takes in one transaction: 500 unless it takes fewer; each event needs two."""
    value = table.values.get("max_entries", MOST_ENTRIES)
    if kind is not Kind.FHIR and "max_entries" in table.values:
        raise table.error("max_entries", f"does not go with kind = {kind.value!r}", "Remove the line")
    if not isinstance(value, int) or isinstance(value, bool) or not 2 <= value <= MOST_ENTRIES:
        raise table.error("max_entries", f"is not a number from 2 to {MOST_ENTRIES}", "Write it as max_entries = 100")
    return value


def _is_safe(url: str, network: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname and not parts.username:
        return network != "private" or parts.hostname in _LOOPBACK
    return parts.scheme == "http" and network == "private" and parts.hostname in _LOOPBACK


def _checked_dsn(table: ConfigTable, dsn: str, endpoint: str) -> str:
    """A DSN for the endpoint's own host and database; it may not bring options of its own, such as sslmode."""
    parts, wanted = urlsplit(dsn), urlsplit(endpoint)
    try:
        place = (parts.hostname, parts.port or 5432, parts.path)
    except ValueError:
        place = (None, 0, "")
    if parts.scheme != "postgresql" or not parts.username or parts.query or parts.fragment:
        remedy = "Write it as postgresql://user:password@host:5432/database, without options"
        raise table.error("secrets", "is not a DSN", remedy)
    if place != (wanted.hostname, wanted.port or 5432, wanted.path):
        raise table.error("secrets", "leads to another host or database than endpoint", "Make the two the same")
    return dsn


def resolve_secret(table: ConfigTable, key: str, name: str, folder: Path, environment: Mapping[str, str]) -> str:
    """The secret behind `env:NAME` or `file:PATH` (relative to the file's folder)."""
    scheme, _, where = name.partition(":")
    if scheme == "env" and where:
        value = environment.get(where)
        if not value:
            raise table.error(key, f"{name} is not set", f"Set {where} in the environment")
    elif scheme == "file" and where:
        try:
            value = (folder / where).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise table.error(key, f"{name} cannot be read", "Check the path and its permissions") from None
    else:
        raise table.error(key, "must be written env:NAME or file:PATH", "Never write the secret itself here")
    return value.strip()


def _signing_secret(table: ConfigTable, name: str, folder: Path, environment: Mapping[str, str]) -> str:
    value = resolve_secret(table, "secrets", name, folder, environment)
    try:
        key = base64.b64decode(value.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not value.startswith("whsec_") or len(key) < 24:
        raise table.error("secrets", f"{name} is not a signing secret", "Use whsec_ and 24 to 64 bytes in base64")
    return value
