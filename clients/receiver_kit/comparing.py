"""Answers what is in force, by event numbers and without a name, so that the portal can compare it with its ledger.

The truth of the data counts: somebody told "no" of whom anything is held, or who is not kept out, is answered as a yes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from .receiver import Receiver, Reply

MOST_SPANS = 1_024
Fact = tuple[int, int, str]

_FACTS = """
    SELECT json_extract(s.receipt, '$.event') AS event, s.version,
        CASE WHEN s.answer = 'no' AND NOT EXISTS (SELECT 1 FROM record r WHERE r.code = s.code)
            AND EXISTS (SELECT 1 FROM kept_out k WHERE k.code = s.code) THEN 'no'
        WHEN s.answer = 'no' THEN 'yes' ELSE s.answer END AS answer
    FROM standing s
"""
_STRAY = "SELECT count(*) FROM kept_out k WHERE NOT EXISTS (SELECT 1 FROM standing s WHERE s.code = k.code)"


class Comparing:
    """`POST reconcile` beside the endpoint: `{"ask": "counts", "through": 9}`, or `digests` or `facts` of `spans`."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def take(self, headers: Mapping[str, str], body: bytes) -> Reply:
        given = {name.lower(): value for name, value in headers.items()}
        if not self._receiver.genuine(given, body):
            return Reply(401, b'{"error": "signature"}')
        try:
            asked = json.loads(body)
            through = int(asked["through"])
            spans = [(int(first), int(last)) for first, last in asked.get("spans", [])][: MOST_SPANS + 1]
        except (KeyError, TypeError, ValueError):
            return Reply(422, b'{"error": "not a question"}')
        if asked.get("ask") not in ("counts", "digests", "facts") or len(spans) > MOST_SPANS:
            return Reply(422, b'{"error": "not a question"}')
        with self._receiver.memory.change():  # as of one moment
            answer = {"store": self._receiver.store_id, **self._answer(asked["ask"], through, spans)}
        return self._receiver.signed(given["webhook-id"], json.dumps(answer))

    def _answer(self, ask: str, through: int, spans: list[tuple[int, int]]) -> dict[str, Any]:
        if ask == "counts":
            facts = self._within(1, through)
            stray = int(self._receiver.memory.rows(_STRAY)[0][0])
            return {"counts": {"total": len(facts), "nos": _nos(facts), "stray": stray}}
        found = [self._within(first, min(last, through)) for first, last in spans]
        if ask == "digests":
            return {"digests": [digest(facts) for facts in found]}
        return {"facts": [list(fact) for facts in found for fact in facts]}

    def _within(self, first: int, last: int) -> list[Fact]:
        rows = self._receiver.memory.rows(
            f"SELECT event, version, answer FROM ({_FACTS})"  # noqa: S608 - a text of this file
            " WHERE event BETWEEN ? AND ? ORDER BY event",
            *(first, last),
        )
        return [(int(event), int(version), str(answer)) for event, version, answer in rows]


def digest(facts: list[Fact]) -> list[Any]:
    """`[total, nos, sha256]` over one line a fact: `event version answer` and a line end, by rising number."""
    lines = "".join(f"{event} {version} {answer}\n" for event, version, answer in facts)
    return [len(facts), _nos(facts), hashlib.sha256(lines.encode()).hexdigest()]


def _nos(facts: list[Fact]) -> int:
    return sum(answer == "no" for _, _, answer in facts)
