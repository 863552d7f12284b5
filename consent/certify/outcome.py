"""How a case went: what was sent, what came back, and why it failed. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from consent.certify.case import Case, Craft
from consent.certify.forge import Message
from consent.certify.judge import Answer
from consent.receipts import StoreReceipt


@dataclass(frozen=True)
class Exchange:
    """One thing that was sent or asked, and what came back; no secret, and only invented people."""

    what: str
    sent: dict[str, Any]
    came_back: dict[str, Any]
    wrong: str | None


@dataclass(frozen=True)
class Outcome:
    """How one case went: `reason` None when it passed."""

    case: Case
    reason: str | None
    exchanges: tuple[Exchange, ...]

    @property
    def passed(self) -> bool:
        return self.reason is None


def shown(sent: Message, craft: Craft) -> dict[str, Any]:
    """What was sent, for the report."""
    numbers = sorted(sent.told)
    return {
        "webhook-id": sent.id,
        "how": craft.value,
        "type": sent.media,
        "events": [numbers[0], numbers[-1]] if numbers else [],
        "bytes": len(sent.body),
        "sha256": hashlib.sha256(sent.body).hexdigest(),
    }


def came_back(answer: Answer, receipts: Sequence[StoreReceipt]) -> dict[str, Any]:
    """What came back, for the report."""
    states: dict[str, int] = {}
    for receipt in receipts:
        states[receipt.state.value] = states.get(receipt.state.value, 0) + 1
    back = {"status": answer.status, "bytes": len(answer.body), "milliseconds": round(answer.seconds * 1000)}
    back["sha256"] = hashlib.sha256(answer.body).hexdigest()  # type: ignore[assignment]  # text among the numbers
    return {**back, **({"receipts": states} if states else {}), **({"reason": answer.reason} if answer.reason else {})}
