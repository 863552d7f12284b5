"""The test door, for `portal stores certify`: takes invented people in and says what is held.

Never open it where real people are: it is made only when the server is started with --test, and it answers nothing
that is not signed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .receiver import Receiver, Reply


class TestDoor:
    """`POST test` beside the endpoint: `{"ask": "mode" | "feed" | "held" | "gaps" | "finish", …}`."""

    __test__ = False

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def take(self, headers: Mapping[str, str], body: bytes) -> Reply:
        given = {name.lower(): value for name, value in headers.items()}
        if not self._receiver.genuine(given, body):
            return Reply(401, b'{"error": "signature"}')
        asked = json.loads(body)
        questions = {
            "mode": self._mode,
            "feed": self._feed,
            "held": self._held,
            "gaps": self._gaps,
            "finish": self._finish,
        }
        question = questions.get(asked.get("ask"))
        if question is None:
            return Reply(422, b'{"error": "unknown question"}')
        with self._receiver.memory.change():
            answer = {"store": self._receiver.store_id, **question(asked)}
        return self._receiver.signed(given["webhook-id"], json.dumps(answer))

    def _mode(self, _asked: Mapping[str, Any]) -> dict[str, Any]:
        return {"test": True, "system": self._receiver.systems[0], "last": self._receiver.memory.last_told()}

    def _feed(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """As your own feed would, with its rule at the entrance; `slip` is a mistake on purpose, past the rule."""
        taken = 0
        for one in asked["people"]:
            if one.get("slip") or self._receiver.may_take_in(one["system"], one["value"]):
                for _ in range(2 if one.get("twice") else 1):
                    self._receiver.memory.file(self._receiver.code_of(one["system"], one["value"]), one["entries"])
                taken += 1
        return {"taken": taken, "turned_away": len(asked["people"]) - taken}

    def _held(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return {"held": [self._of(one["system"], one["value"]) for one in asked["people"]]}

    def _of(self, system: str, value: str) -> dict[str, Any]:
        code = self._receiver.code_of(system, value)
        rows = self._receiver.memory.rows("SELECT choice, effort, version, answer FROM standing WHERE code = ?", code)
        named = [dict(zip(("choice", "effort", "version", "answer"), row, strict=True)) for row in rows]
        return {"system": system, "value": value, "entries": self._receiver.memory.entries(code), "standing": named}

    def _gaps(self, _asked: Mapping[str, Any]) -> dict[str, Any]:
        return {"missing": [list(each) for each in self._receiver.memory.missing()]}

    def _finish(self, _asked: Mapping[str, Any]) -> dict[str, Any]:
        """This receiver does everything at once, so it owes nothing. One that answers `accepted` does it here."""
        return {"receipts": []}
