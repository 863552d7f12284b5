"""The data stores of `stores.toml`, checked at start so that a mistake is named by file, line and remedy."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from consent.efforts import SANDBOX_EFFORTS, Effort, Holds, effort_by_id
from vocabulary.config_file import ConfigError, ConfigTable, read_tables


class Kind(StrEnum):
    """How a store is spoken to. Only `webhook` is delivered to so far; the other names are kept."""

    WEBHOOK = "webhook"
    FHIR = "fhir"
    SQL = "sql"
    STREAM = "stream"


class Transport(StrEnum):
    """The wire form: a Subscriptions R5 Backport notification Bundle, or one compact JSON line per event."""

    BACKPORT = "backport"
    NDJSON = "ndjson"


class Basis(StrEnum):
    """Why a store may hold data: health care operations (opt-out), a donation (opt-in), or a state's law."""

    OPERATIONS = "operations"
    DONATION = "donation"
    LAW = "law"


@dataclass(frozen=True)
class Store:
    """One `[[store]]`. `secrets` are resolved `whsec_…` values, newest first; `deadline` is the time to confirm.

    `identifier_system` is the patient identifier system under which the store knows a person; without it an
    operations store knows people by the record number of each of its `practices`, and a donation store by a
    random code made for it.
    """

    id: str
    name: str
    kind: Kind
    transport: Transport
    endpoint: str
    secrets: tuple[str, ...]
    holds: Holds
    basis: Basis
    effort: str | None
    via_cancerlinq: bool
    identifier_system: str | None
    practices: frozenset[str]
    states: frozenset[str]
    deadline: timedelta
    contact: str
    network: str

    def __repr__(self) -> str:
        return f"Store({self.id!r})"  # never the secrets

    @property
    def is_told(self) -> bool:
        """Whether decisions are sent to this store at all; a registry by law is never told of one (X-06)."""
        return self.basis is not Basis.LAW


_KEYS = {
    *("id", "name", "kind", "transport", "endpoint", "secrets", "holds", "basis", "effort", "via_cancerlinq"),
    *("identifier_system", "practices", "states", "deadline", "contact", "network"),
}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def load_stores(
    path: Path,
    environment: Mapping[str, str],
    production: bool,
    efforts: tuple[Effort, ...] = SANDBOX_EFFORTS,
) -> tuple[Store, ...]:
    """All stores of the file at `path`; ConfigError names the file, the line and what to do.

    `environment` resolves `env:NAME` secrets, `file:PATH` is relative to the file's folder. `production` (an https
    base address) refuses `network = "private"` and efforts that are invented.
    """
    stores: list[Store] = []
    for table in read_tables(path, "store"):
        table.refuse_unknown(_KEYS)
        store = _store(table, path.parent, environment, production, efforts)
        if any(other.id == store.id for other in stores):
            raise table.error("id", f"{store.id!r} is used twice", "Give each store its own id")
        stores.append(store)
    if not stores:
        raise ConfigError(str(path), "names no store", "Add at least one [[store]] table")
    return tuple(stores)


def _store(
    table: ConfigTable, folder: Path, environment: Mapping[str, str], production: bool, efforts: tuple[Effort, ...]
) -> Store:
    store_id = table.text("id")
    if not re.fullmatch(r"[a-z][a-z0-9-]{1,62}", store_id):
        raise table.error("id", f"is {store_id!r}", "Use small letters, digits and hyphens, such as cancerlinq")
    kind = Kind(table.text("kind", one_of=[k.value for k in Kind]))
    if kind is not Kind.WEBHOOK:
        raise table.error("kind", f"is {kind.value!r}, which this version cannot deliver to", 'Use kind = "webhook"')
    network = table.text("network", "public", one_of=("public", "private"))
    basis = Basis(table.text("basis", one_of=[b.value for b in Basis]))
    holds = Holds(table.text("holds", one_of=[h.value for h in Holds]))
    effort, via_cancerlinq = _effort(table, basis, holds, production, efforts)
    return Store(
        id=store_id,
        name=table.text("name"),
        kind=kind,
        transport=Transport(table.text("transport", one_of=[t.value for t in Transport])),
        endpoint=_endpoint(table, network, production),
        secrets=_secrets(table, folder, environment),
        holds=holds,
        basis=basis,
        effort=effort,
        via_cancerlinq=via_cancerlinq,
        identifier_system=table.text("identifier_system", "-") if "identifier_system" in table.values else None,
        practices=_practices(table, basis),
        states=_states(table, basis),
        deadline=_deadline(table),
        contact=table.text("contact"),
        network=network,
    )


def _effort(
    table: ConfigTable, basis: Basis, holds: Holds, production: bool, efforts: tuple[Effort, ...]
) -> tuple[str | None, bool]:
    if basis is not Basis.DONATION:
        if "effort" in table.values:
            raise table.error("effort", f"does not go with basis = {basis.value!r}", 'Use basis = "donation"')
        if table.flag("via_cancerlinq", False):
            raise table.error("via_cancerlinq", f"does not go with basis = {basis.value!r}", "Remove the line")
        return None, False
    effort = effort_by_id(table.text("effort"), efforts)
    if effort is None:
        known = ", ".join(e.id for e in efforts)
        raise table.error("effort", f"is {table.text('effort')!r}, which has no authorization text", f"Known: {known}")
    if production and effort.invented:
        raise table.error("effort", "was invented for the sandbox", "Remove this store in production")
    if holds is not effort.holds:
        raise table.error("holds", "differs from the effort's own", f'Write holds = "{effort.holds.value}"')
    via = table.flag("via_cancerlinq", effort.via_cancerlinq)
    if via is not effort.via_cancerlinq:
        raise table.error("via_cancerlinq", "differs from the effort's own", "Remove the line")
    return effort.id, via


def _endpoint(table: ConfigTable, network: str, production: bool) -> str:
    endpoint = table.text("endpoint")
    parts = urlsplit(endpoint)
    try:
        parts.port  # noqa: B018 - a port that is not a number raises here
    except ValueError:
        raise table.error("endpoint", "has a port that is not a number", "Write https://host:443/path") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
        raise table.error("endpoint", "is not a plain web address", "Write https://host/path without user or #")
    if network == "private":
        if production:
            raise table.error("network", "may not be private in production", 'Use network = "public" and https')
        if parts.hostname not in _LOOPBACK:
            raise table.error("endpoint", "is not on this machine", 'network = "private" allows localhost only')
    elif parts.scheme != "https":
        raise table.error("endpoint", "is not https", 'Use https; http is for network = "private" on this machine')
    return endpoint


def _secrets(table: ConfigTable, folder: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    names = table.texts("secrets")
    if not 1 <= len(names) <= 2:
        raise table.error("secrets", "must name one secret, or two while one replaces the other", "List one or two")
    return tuple(_secret(table, name, folder, environment) for name in names)


def _secret(table: ConfigTable, name: str, folder: Path, environment: Mapping[str, str]) -> str:
    scheme, _, where = name.partition(":")
    if scheme == "env" and where:
        value = environment.get(where)
        if not value:
            raise table.error("secrets", f"{name} is not set", f"Set {where} in the environment")
    elif scheme == "file" and where:
        try:
            value = (folder / where).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise table.error("secrets", f"{name} cannot be read", "Check the path and its permissions") from None
    else:
        raise table.error("secrets", "must be written env:NAME or file:PATH", "Never write the secret itself here")
    value = value.strip()
    try:
        key = base64.b64decode(value.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not value.startswith("whsec_") or len(key) < 24:
        raise table.error("secrets", f"{name} is not a signing secret", "Use whsec_ and 24 to 64 bytes in base64")
    return value


def _practices(table: ConfigTable, basis: Basis) -> frozenset[str]:
    practices = table.texts("practices")
    if basis is Basis.OPERATIONS and not practices:
        raise table.error("practices", "is empty", "List the practices whose patients this store can hold")
    return frozenset(practices)


def _states(table: ConfigTable, basis: Basis) -> frozenset[str]:
    states = table.texts("states")
    if basis is Basis.LAW and not states:
        raise table.error("states", "is empty", 'List the states whose law requires it, such as ["MA"]')
    if any(not re.fullmatch(r"[A-Z]{2}", state) for state in states):
        raise table.error("states", "must be two capital letters each", 'Write them as ["MA", "NY"]')
    return frozenset(states)


def _deadline(table: ConfigTable) -> timedelta:
    text = table.text("deadline")
    match = re.fullmatch(r"([1-9][0-9]{0,4})([smhd])", text)
    if match is None:
        raise table.error("deadline", f"is {text!r}", "Write a number and s, m, h or d, such as 15m")
    return timedelta(seconds=int(match.group(1)) * _UNITS[match.group(2)])
