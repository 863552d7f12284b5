"""Discovery: counts without names, built anew from the platform's list. Who is out is in no build after that."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from sandbox.store.config import StoreConfig
from sandbox.store.hospital_feed import platform_list
from sandbox.store.memory import Memory
from sandbox.store.obey import now_text

SMALLEST_SHOWN = 11
"""Counts of 1 to 10 are not shown (requirements REL-01)."""


def rebuild(config: StoreConfig, memory: Memory) -> dict[str, Any]:
    """Fetch the platform's list, keep counts only, and turn `accepted` receipts into `applied` ones to be sent."""
    listed = platform_list(config)
    with memory.change():
        included = []
        excluded_here = 0
        for person in listed["people"]:
            if memory.is_suppressed(memory.code_of(str(person["system"]), str(person["value"]))):
                excluded_here += 1
            else:
                included.append(person)
        number = int(json.loads(memory.fact("build") or '{"number": 0}')["number"]) + 1
        build: dict[str, Any] = {
            "at": now_text(),
            "number": number,
            "people": len(included),
            "excluded": int(listed.get("suppressed", 0)) + excluded_here,
            "excluded_here": excluded_here,
            "counts": _counts(included),
        }
        memory.set_fact("build", json.dumps(build))
        applied = _owe_applied(memory, number)
        memory.note(
            now_text(),
            f"Build {build['number']}: {build['people']} people counted, {build['excluded']} left out"
            f" because they are out, {applied} decisions now in force.",
        )
    return {**build, "applied": applied}


def _owe_applied(memory: Memory, build: int) -> int:
    waiting = memory.rows("SELECT id, receipt FROM owed WHERE state = 'build' ORDER BY event")
    for row in waiting:
        receipt = {**json.loads(row["receipt"]), "state": "applied", "at": now_text(), "build": build}
        text = json.dumps(receipt)
        memory.run("UPDATE owed SET state = 'send', receipt = ? WHERE id = ?", text, row["id"])
        memory.run(
            "UPDATE standing SET receipt = ? WHERE json_extract(receipt, '$.reference') = ?", text, receipt["reference"]
        )
    return len(waiting)


def _counts(people: list[dict[str, Any]]) -> dict[str, int]:
    """How many people have each kind of entry; a number of 1 to 10 is given as 0 and shown as "fewer than 11"."""
    kinds: Counter[str] = Counter()
    for person in people:
        kinds.update({str(resource.get("resourceType", "Entry")) for resource in person.get("resources", ())})
    return {kind: (number if number >= SMALLEST_SHOWN else 0) for kind, number in sorted(kinds.items())}
