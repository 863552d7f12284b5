"""The test door of a sandbox store: invented people come in through it, and it says what is held of them.

It answers only signed questions, and only when the store was started in test mode: a store with real people has none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sandbox.store.config import StoreConfig
from sandbox.store.donations import Donation, DonationRefused, take_donation
from sandbox.store.memory import Memory
from sandbox.store.obey import now_text, person_code

SUBJECT_SYSTEM = "https://patient-portal.example/fhir/NamingSystem/subject"
_NEWEST_SAID = "SELECT coalesce(max(event), 0) FROM told"
_MISSING = (
    "SELECT before + 1, event - 1 FROM (SELECT event, lag(event) OVER (ORDER BY event) AS before FROM"
    " (SELECT DISTINCT event FROM told)) WHERE event > before + 1"
)


class TestDoor:
    """`answer` to each question: mode, feed, held, gaps, finish. In the caller's transaction."""

    def __init__(self, config: StoreConfig, memory: Memory) -> None:
        self._config, self._memory = config, memory

    def answer(self, asked: Any) -> dict[str, Any] | None:
        """The answer; None for a question that is none."""
        questions: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "mode": self._mode,
            "feed": self._feed,
            "held": self._held,
            "gaps": self._gaps,
            "finish": self._finish,
        }
        question = questions.get(str(asked.get("ask"))) if isinstance(asked, dict) else None
        return None if question is None else {"store": self._config.id, **question(asked)}

    def _mode(self, _asked: dict[str, Any]) -> dict[str, Any]:
        system = SUBJECT_SYSTEM if self._config.role == "effort" else min(self._config.known_systems)
        return {"test": True, "system": system, "last": self._memory.count(_NEWEST_SAID)}

    def _feed(self, asked: dict[str, Any]) -> dict[str, Any]:
        taken = sum(self._take(one) for one in asked["people"])
        return {"taken": taken, "turned_away": len(asked["people"]) - taken}

    def _take(self, one: dict[str, Any]) -> bool:
        code = person_code(self._config, self._memory, one["system"], one["value"])
        lines = [{"resourceType": "Condition"} for _ in range(one["entries"])]
        if self._config.role == "effort" and not one.get("slip"):
            return self._donated(code, one["value"], lines)
        if self._memory.is_suppressed(code) and not one.get("slip"):
            return False
        for source in ("test", "test-twin")[: 2 if one.get("twice") else 1]:
            self._memory.keep(code, one["system"], one["value"], one["label"], source, lines)
        return True

    def _donated(self, code: str, subject: str, lines: list[dict[str, Any]]) -> bool:
        newest = self._memory.rows("SELECT max(version) AS version FROM standing WHERE code = ?", code)[0]["version"]
        try:
            take_donation(self._config, self._memory, Donation(subject, newest or 0, f"test-{now_text()}", lines))
        except DonationRefused:
            return False
        return True

    def _held(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"held": [self._of(one["system"], one["value"]) for one in asked["people"]]}

    def _of(self, system: str, value: str) -> dict[str, Any]:
        code = person_code(self._config, self._memory, system, value)
        rows = self._memory.rows("SELECT choice, effort, version, answer FROM standing WHERE code = ?", code)
        entries = self._memory.entries_of(code)
        return {"system": system, "value": value, "entries": entries, "standing": [dict(row) for row in rows]}

    def _gaps(self, _asked: dict[str, Any]) -> dict[str, Any]:
        missing = [list(row) for row in self._memory.rows(_MISSING)]
        last, announced = self._memory.count(_NEWEST_SAID), int(self._memory.fact("announced") or 0)
        return {"missing": [*missing, *([[last + 1, announced]] if announced > last else [])]}

    def _finish(self, _asked: dict[str, Any]) -> dict[str, Any]:
        """What the next build would do, now, for those who are out; its receipts, which are then owed no more."""
        for row in self._memory.rows("SELECT code FROM suppressed"):
            self._memory.forget(row["code"])
        owed = self._memory.rows("SELECT receipt FROM owed ORDER BY event")
        self._memory.run("DELETE FROM owed")
        receipts = [{**json.loads(row["receipt"]), "state": "applied", "at": now_text()} for row in owed]
        return {"receipts": receipts}
