"""The data stores of `stores.toml`, checked at start so that a mistake is named by file, line and remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from consent.efforts import SANDBOX_EFFORTS, Effort, Holds, effort_by_id
from consent.store_kind import Kind as Kind
from consent.store_kind import Transport as Transport
from consent.store_kind import read_client, read_endpoint, read_login, read_max_entries, read_secrets, read_transport
from vocabulary.config_file import ConfigError, ConfigTable, read_tables


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
    random code made for it. `login` is a warehouse's DSN, or `user:password` of a stream; `client_id` and `token_url`
    are our client at a FHIR server, which takes `max_entries` in one transaction. A message goes out after `heartbeat`
    of silence.
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
    heartbeat: timedelta = timedelta(hours=1)
    login: str | None = None
    client_id: str | None = None
    token_url: str | None = None
    max_entries: int = 500

    def __repr__(self) -> str:
        return f"Store({self.id!r})"  # never the secrets

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address that is called for this store."""
        return (self.endpoint,) if self.token_url is None else (self.endpoint, self.token_url)

    @property
    def is_told(self) -> bool:
        """Whether decisions are sent to this store at all; a registry by law is never told of one (X-06)."""
        return self.basis is not Basis.LAW


_KEYS = {
    *("id", "name", "kind", "transport", "endpoint", "secrets", "holds", "basis", "effort", "via_cancerlinq"),
    *("identifier_system", "practices", "states", "deadline", "contact", "network"),
    *("heartbeat", "login", "client_id", "token_url", "max_entries"),
}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


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
    transport = read_transport(table, kind)
    network = table.text("network", "public", one_of=("public", "private"))
    basis = Basis(table.text("basis", one_of=[b.value for b in Basis]))
    holds = Holds(table.text("holds", one_of=[h.value for h in Holds]))
    if basis is Basis.DONATION and kind is not Kind.WEBHOOK:
        raise table.error("kind", f"is {kind.value!r}, and donated data travels by webhook", 'Use kind = "webhook"')
    effort, via_cancerlinq = _effort(table, basis, holds, production, efforts)
    endpoint = read_endpoint(table, kind, network, production)
    client_id, token_url = read_client(table, kind, network)
    return Store(
        id=store_id,
        name=table.text("name"),
        kind=kind,
        transport=transport,
        endpoint=endpoint,
        secrets=read_secrets(table, kind, folder, environment),
        holds=holds,
        basis=basis,
        effort=effort,
        via_cancerlinq=via_cancerlinq,
        identifier_system=table.text("identifier_system", "-") if "identifier_system" in table.values else None,
        practices=_practices(table, basis),
        states=_states(table, basis),
        deadline=_duration(table, "deadline"),
        contact=table.text("contact"),
        network=network,
        heartbeat=_duration(table, "heartbeat", "1h"),
        login=read_login(table, kind, endpoint, folder, environment),
        client_id=client_id,
        token_url=token_url,
        max_entries=read_max_entries(table, kind),
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


def _duration(table: ConfigTable, key: str, default: str | None = None) -> timedelta:
    text = table.text(key, default)
    match = re.fullmatch(r"([1-9][0-9]{0,4})([smhd])", text)
    if match is None:
        raise table.error(key, f"is {text!r}", "Write a number and s, m, h or d, such as 15m")
    return timedelta(seconds=int(match.group(1)) * _UNITS[match.group(2)])
