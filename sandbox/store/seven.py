"""The seven stores of the sandbox, as configuration values ready to be written to files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BOTH = ["riverside", "lakeside"]

SEVEN: tuple[dict[str, Any], ...] = (
    {"id": "cancerlinq", "name": "CancerLinQ platform (sandbox)", "role": "holder", "hospitals": _BOTH},
    {"id": "tempus", "name": "Tempus, curator (sandbox)", "role": "curator", "hospitals": _BOTH},
    {"id": "concerto", "name": "Concerto HealthAI, curator (sandbox)", "role": "curator", "hospitals": _BOTH},
    {
        "id": "discovery",
        "name": "CancerLinQ Discovery (sandbox)",
        "role": "discovery",
        "holds": "de-identified",
        "hospitals": _BOTH,
    },
    {"id": "registry", "name": "State cancer registry (sandbox)", "role": "registry", "hospitals": _BOTH},
    {
        "id": "living-well",
        "name": "Living Well After Treatment (invented for the sandbox)",
        "role": "effort",
        "holds": "de-identified",
        "effort": "living-well",
        "invented": True,
        "hospitals": [],
    },
    {
        "id": "early-signs",
        "name": "Early Signs Study (invented for the sandbox)",
        "role": "effort",
        "effort": "early-signs",
        "invented": True,
        "hospitals": [],
    },
)


def seven_stores(
    *,
    secrets: Mapping[str, str],
    portal: str,
    platform: str | None,
    feed_token: str,
    nightly_seconds: float = 0.0,
) -> tuple[dict[str, Any], ...]:
    """The seven as JSON-ready values for `--config`; `secrets` maps store id to `whsec_…`.

    `platform` is the base URL of the store `cancerlinq`, which has to be started first.
    """
    made = []
    for values in SEVEN:
        one = dict(values, secrets=[secrets[values["id"]]], portal=portal, nightly_seconds=nightly_seconds)
        if values["role"] in ("holder", "curator", "discovery"):
            one["feed_token"] = feed_token
        if values["role"] in ("curator", "discovery"):
            one["platform"] = platform
        made.append(one)
    return tuple(made)
