"""What a store does when it is told of a decision: highest version wins, no second effect, a receipt each time.

The same version again under a higher event number is no retry: the portal found it not in force. It is made so again.
"""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from typing import Any

from sandbox.store.config import StoreConfig
from sandbox.store.memory import Memory
from sandbox.store.wire import Event

Receipt = dict[str, Any]


def now_text() -> str:
    return datetime.now(tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def person_code(config: StoreConfig, memory: Memory, system: str, value: str) -> str:
    """An effort knows a subject by the code alone; the others by identifier system and value."""
    return memory.code_of("" if config.role == "effort" else system, value)


def obey(config: StoreConfig, memory: Memory, event: Event) -> Receipt:
    """Apply one event inside the caller's transaction and return its receipt (requirements SUB-09)."""
    if reason := _not_for_us(config, event):
        receipt = _receipt(config, event, "refused", reason=reason)
        _tell(memory, event, "", f"Refused: {reason}")
        return receipt
    code = person_code(config, memory, event.system, event.value)
    effort = event.effort or config.effort or ""
    effort = effort if event.choice == "donation" else ""
    held = memory.rows(
        "SELECT version, receipt FROM standing WHERE code = ? AND choice = ? AND effort = ?", code, event.choice, effort
    )
    if held and not _is_news(event, int(held[0]["version"]), json.loads(held[0]["receipt"])):
        _tell(memory, event, code, f"Nothing: version {held[0]['version']} is held already")
        return {**json.loads(held[0]["receipt"]), "event": event.number}
    if event.choice == "cancerlinq" and event.system not in config.known_systems and config.role != "discovery":
        _tell(memory, event, "", "Not found: this way of naming a person is not known here")
        return _receipt(config, event, "not_found", reason="unknown-identifier-system")
    receipt = _effect(config, memory, event, code)
    _remember(memory, event, code, effort, receipt)
    return receipt


def _is_news(event: Event, version: int, receipt: Receipt) -> bool:
    return (event.version, event.number) > (version, int(receipt["event"]))


def _not_for_us(config: StoreConfig, event: Event) -> str | None:
    if config.role == "registry":
        return "required-by-law"
    if (event.choice == "donation") != (config.role == "effort"):
        return "not-for-this-store"
    if event.effort and config.effort and event.effort != config.effort:
        return "not-for-this-store"
    return None


def _effect(config: StoreConfig, memory: Memory, event: Event, code: str) -> Receipt:
    if config.role == "discovery":
        return _at_next_build(config, memory, event, code)
    if event.answer == "no":
        removed = memory.forget(code)
        keeps = None
        if event.choice == "cancerlinq":
            memory.run("INSERT OR IGNORE INTO suppressed VALUES (?, ?)", code, now_text())
            keeps = "suppression-key"
        state = "applied" if removed else "nothing-held"
        _tell(memory, event, code, f"Removed {removed} entries" if removed else "Held nothing; will not take any in")
        return _receipt(config, event, state, removed=removed, stopped=True, keeps=keeps)
    memory.run("DELETE FROM suppressed WHERE code = ?", code)
    told = "Ready to receive" if event.choice == "donation" else "May be taken in again by the next hospital feed"
    _tell(memory, event, code, told)
    return _receipt(config, event, "applied", stopped=False)


def _at_next_build(config: StoreConfig, memory: Memory, event: Event, code: str) -> Receipt:
    """Counts cannot be changed one person at a time: the next build leaves the person out, then says so."""
    if event.answer == "no":
        memory.run("INSERT OR IGNORE INTO suppressed VALUES (?, ?)", code, now_text())
    else:
        memory.run("DELETE FROM suppressed WHERE code = ?", code)
    stopped = event.answer == "no"
    _tell(memory, event, code, "Left out from the next build" if stopped else "In the next build again")
    receipt = _receipt(config, event, "accepted", stopped=stopped, keeps="suppression-key" if stopped else None)
    memory.run("INSERT INTO owed (event, receipt, state) VALUES (?, ?, 'build')", event.number, json.dumps(receipt))
    return receipt


def _remember(memory: Memory, event: Event, code: str, effort: str, receipt: Receipt) -> None:
    memory.run(
        "INSERT INTO standing VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (code, choice, effort) DO UPDATE SET"
        " version = excluded.version, answer = excluded.answer, receipt = excluded.receipt",
        *(code, event.choice, effort, event.version, event.answer, json.dumps(receipt)),
    )
    memory.run(
        "INSERT INTO effect (at, event, code, choice, effort, version, answer, receipt) VALUES (?,?,?,?,?,?,?,?)",
        *(now_text(), event.number, code, event.choice, effort, event.version, event.answer, json.dumps(receipt)),
    )


def _tell(memory: Memory, event: Event, code: str, did: str) -> None:
    memory.run(
        "INSERT INTO told (at, event, code, choice, version, answer, did) VALUES (?,?,?,?,?,?,?)",
        *(now_text(), event.number, code, event.choice, event.version, event.answer, did),
    )


def _receipt(
    config: StoreConfig,
    event: Event,
    state: str,
    *,
    removed: int = 0,
    stopped: bool = False,
    keeps: str | None = None,
    reason: str | None = None,
) -> Receipt:
    receipt: Receipt = {
        "event": event.number,
        "version": event.version,
        "state": state,
        "removed": removed,
        "stopped": stopped,
        "keeps": keeps,
        "reference": f"{config.id[:3].upper()}-{secrets.token_hex(4).upper()}",
        "at": now_text(),
    }
    if reason:
        receipt["reason"] = reason
    return receipt


def refused(config: StoreConfig, memory: Memory, event: Event, state: str) -> Receipt:
    """The receipt of a subject that a sandbox fault makes the store refuse."""
    _tell(memory, event, "", f"Answered {state} (sandbox fault)")
    return _receipt(config, event, state, reason="sandbox-fault")
