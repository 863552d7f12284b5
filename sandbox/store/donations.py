"""What a research effort does with donated data: keep it under the subject code, replace it, refuse it after a no."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sandbox.store.config import StoreConfig
from sandbox.store.memory import Memory
from sandbox.store.obey import now_text

_NAMED = ("telecom", "address", "birthDate", "photo")


class DonationRefused(Exception):
    """The donation is not taken; `reason` is a short code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Donation:
    """One delivery: the subject code, the version of the decision that allows it, the manifest, the lines."""

    subject: str
    version: int
    manifest: str
    lines: list[dict[str, Any]]


def read_lines(body: bytes) -> list[dict[str, Any]]:
    """The NDJSON lines; DonationRefused("not-ndjson") when one of them is not a JSON object."""
    try:
        lines = [json.loads(line) for line in body.decode("utf-8").split("\n") if line.strip()]
    except ValueError:
        raise DonationRefused("not-ndjson") from None
    if not all(isinstance(line, dict) for line in lines):
        raise DonationRefused("not-ndjson")
    return lines


def take_donation(config: StoreConfig, memory: Memory, donation: Donation) -> int:
    """Keep the donation, in the caller's transaction; the number of entries received.

    A donation whose version is not newer than a "no" is refused, and so is one older than what is held. Another
    manifest replaces what was held: the store keeps one snapshot per subject, in as many deliveries as it takes.
    """
    code = memory.code_of("", donation.subject)
    denied = memory.rows(
        "SELECT 1 FROM standing WHERE code = ? AND choice = 'donation' AND answer = 'no' AND version >= ?",
        code,
        donation.version,
    )
    if denied:
        raise DonationRefused("withdrawn")
    if config.holds == "de-identified" and any(_names_someone(line) for line in donation.lines):
        raise DonationRefused("identity-found")
    held = memory.rows("SELECT manifest, version FROM manifest WHERE code = ?", code)
    if held and held[0]["version"] > donation.version:
        raise DonationRefused("older-than-held")
    if held and held[0]["manifest"] != donation.manifest:
        memory.forget(code)
    memory.run(
        "INSERT OR REPLACE INTO manifest VALUES (?, ?, ?, ?)", code, donation.manifest, donation.version, now_text()
    )
    label = _label(config, donation.lines)
    memory.run("INSERT OR REPLACE INTO person VALUES (?, ?, ?, ?)", code, "", donation.subject, label)
    first = memory.entries_of(code)
    memory.many(
        "INSERT INTO entry VALUES (?, ?, ?, ?, ?)",
        [
            (code, donation.manifest, first + number, str(line.get("resourceType") or "Entry"), json.dumps(line))
            for number, line in enumerate(donation.lines)
        ],
    )
    memory.note(now_text(), f"Received {len(donation.lines)} entries of subject {donation.subject}.")
    return len(donation.lines)


def _label(config: StoreConfig, lines: list[dict[str, Any]]) -> str:
    if config.holds == "de-identified":
        return ""
    for line in lines:
        if line.get("resourceType") == "Patient" and isinstance(line.get("name"), list) and line["name"]:
            name = line["name"][0]
            return " ".join([*name.get("given", []), name.get("family", "")]).strip()
    return ""


def _names_someone(node: Any) -> bool:
    if isinstance(node, list):
        return any(_names_someone(value) for value in node)
    if not isinstance(node, dict):
        return False
    if any(key in node for key in _NAMED) or ("family" in node and "given" in node):
        return True
    return any(_names_someone(value) for value in node.values())
