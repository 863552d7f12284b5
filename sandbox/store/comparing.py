"""What is in force in this store, answered by event numbers and without a name: counts, digests, single facts.

The truth of the data counts, not what was obeyed once: a person told "no" of whom anything is held, or who is not on
the list of those kept out, is answered as a yes.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from typing import Any, NamedTuple

from sandbox.store.config import StoreConfig
from sandbox.store.memory import Memory

MOST_SPANS = 1_024

# One row for each person and choice: the newest event, and whether it is in force.
_FACTS = """
    SELECT CAST(json_extract(s.receipt, '$.event') AS INTEGER) AS event, s.version, CASE
        WHEN s.choice = 'cancerlinq' THEN CASE
            WHEN EXISTS (SELECT 1 FROM entry e WHERE e.code = s.code) AND s.answer = 'no' THEN 'yes'
            WHEN EXISTS (SELECT 1 FROM suppressed p WHERE p.code = s.code) THEN 'no' ELSE 'yes' END
        WHEN s.answer = 'no' AND EXISTS (SELECT 1 FROM entry e WHERE e.code = s.code) THEN 'yes'
        ELSE s.answer END AS answer
    FROM standing s
"""
_WITHIN = f"SELECT event, version, answer FROM ({_FACTS}) WHERE event BETWEEN ? AND ? ORDER BY event"
_STRAY = "SELECT count(*) FROM suppressed p WHERE NOT EXISTS (SELECT 1 FROM standing s WHERE s.code = p.code)"


class NotAQuestion(Exception):
    """The body asks nothing that this store knows to answer."""


class Asked(NamedTuple):
    """`counts`, `digests` or `facts`, of events up to `through`, in these spans (both ends included)."""

    ask: str
    through: int
    spans: list[tuple[int, int]]


def read_question(sent: Any) -> Asked:
    """The question in a JSON body; NotAQuestion when it is none."""
    try:
        spans = [(int(first), int(last)) for first, last in sent.get("spans", [])]
        asked = Asked(str(sent["ask"]), int(sent["through"]), spans)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise NotAQuestion from None
    if asked.ask not in ("counts", "digests", "facts") or len(spans) > MOST_SPANS:
        raise NotAQuestion
    return asked


def compared(config: StoreConfig, memory: Memory, asked: Asked) -> dict[str, Any]:
    """What this store holds to be in force, as of one moment."""
    if asked.ask == "counts":
        facts = _within(memory, 1, asked.through)
        nos = sum(fact.endswith(" no\n") for _, fact in facts)
        return {
            "store": config.id,
            "counts": {"total": len(facts), "nos": nos, "stray": memory.count(_STRAY)},
        }
    if asked.ask == "digests":
        first = min((span[0] for span in asked.spans), default=1)
        last = max((span[1] for span in asked.spans), default=0)
        facts = _within(memory, first, min(last, asked.through))
        return {"store": config.id, "digests": [_digest(_slice(facts, span)) for span in asked.spans]}
    found = [
        [row["event"], row["version"], row["answer"]]
        for first, last in asked.spans
        for row in memory.rows(_WITHIN, first, min(last, asked.through))
    ]
    return {"store": config.id, "facts": found}


def _slice(facts: list[tuple[int, str]], span: tuple[int, int]) -> list[str]:
    start, stop = bisect_left(facts, (span[0], "")), bisect_left(facts, (span[1] + 1, ""))
    return [line for _, line in facts[start:stop]]


def _within(memory: Memory, first: int, last: int) -> list[tuple[int, str]]:
    rows = memory.rows(_WITHIN, first, last)
    return [(int(row["event"]), f"{row['event']} {row['version']} {row['answer']}\n") for row in rows]


def _digest(lines: list[str]) -> list[Any]:
    nos = sum(line.endswith(" no\n") for line in lines)
    return [len(lines), nos, hashlib.sha256("".join(lines).encode()).hexdigest()]
