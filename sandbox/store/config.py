"""What one sandbox store is: its name, its part in the picture, and what it shares with the portal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

Role = Literal["holder", "curator", "discovery", "registry", "effort"]
Holds = Literal["identifiable", "de-identified"]
ROLES = ("holder", "curator", "discovery", "registry", "effort")

MRN_SYSTEMS = {
    "riverside": "urn:oid:2.16.840.1.113883.19.5",
    "lakeside": "urn:oid:2.16.840.1.113883.19.6",
}


class StoreConfigError(Exception):
    """The configuration file cannot be used; the message says why."""


@dataclass(frozen=True)
class StoreConfig:
    """One store.

    `role`: `holder` is the platform fed by the hospitals, `curator` works on copies, `discovery` is counts rebuilt
    from the platform, `registry` is the state's (never told of an opt-out), `effort` takes what people donate.
    `secrets`: one or two Standard Webhooks secrets (`whsec_<base64>`), two while a change of secret overlaps.
    `hospitals`: whose nightly feed reaches it. `portal`: where late receipts go. `platform`: the platform's URL, for
    curators and discovery; `feed_token` is what the platform and those that read it share.
    `nightly_seconds`: how often the nightly feed runs by itself; 0 means only when asked. `test` opens the test door,
    for a certification with invented people.
    """

    id: str
    name: str
    role: Role
    secrets: tuple[str, ...]
    state_dir: Path
    holds: Holds = "identifiable"
    hospitals: tuple[str, ...] = ("riverside", "lakeside")
    identifier_system: str | None = None
    effort: str | None = None
    invented: bool = False
    portal: str | None = None
    platform: str | None = None
    feed_token: str | None = None
    nightly_seconds: float = 0.0
    port: int = 0
    test: bool = False

    @property
    def known_systems(self) -> frozenset[str]:
        """The identifier systems by which this store can find a person."""
        systems = {MRN_SYSTEMS[hospital] for hospital in self.hospitals if hospital in MRN_SYSTEMS}
        if self.identifier_system:
            systems.add(self.identifier_system)
        return frozenset(systems)


def read_config(path: Path, *, state_dir: Path, port: int) -> StoreConfig:
    """The store described by the JSON file at `path`; StoreConfigError when it is wrong."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreConfigError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(values, dict):
        raise StoreConfigError(f"{path} must hold one JSON object")
    return config_from(cast("dict[str, Any]", values), state_dir=state_dir, port=port)


def config_from(values: dict[str, Any], *, state_dir: Path, port: int = 0) -> StoreConfig:
    known = set(StoreConfig.__dataclass_fields__) - {"state_dir", "port"}
    unknown = sorted(set(values) - known)
    if unknown:
        raise StoreConfigError(f"unknown keys: {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    missing = sorted({"id", "name", "role", "secrets"} - set(values))
    if missing:
        raise StoreConfigError(f"missing keys: {', '.join(missing)}")
    if values["role"] not in ROLES:
        raise StoreConfigError(f"role must be one of {', '.join(ROLES)}")
    if not 1 <= len(values["secrets"]) <= 2:
        raise StoreConfigError("secrets must list one or two secrets")
    if values["role"] == "effort" and not values.get("effort"):
        raise StoreConfigError("a store of role effort needs `effort`")
    made = dict(values)
    made["secrets"] = tuple(values["secrets"])
    made["hospitals"] = tuple(values.get("hospitals", ("riverside", "lakeside")))
    return StoreConfig(**made, state_dir=state_dir, port=port)
