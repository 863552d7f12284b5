"""What an effort's store answers to a delivery, checked before it is believed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from consent.store_config import Store
from consent.wire_signature import is_genuine

MAX_ANSWER_BYTES = 100_000


class NotTaken(Exception):
    """The delivery does not count. `reason` is a stable code. `refused`: the store said so itself, and signed it;
    `answered`: it said something, so that the fault may lie in this one delivery."""

    def __init__(self, reason: str, *, answered: bool, refused: bool = False, wait_seconds: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.answered, self.refused, self.wait_seconds = reason, answered, refused, wait_seconds


@dataclass(frozen=True)
class Taken:
    """A believed answer: how many entries the store says it received, when, and its signature."""

    received: int
    at: str
    signature: str


def read_answer(
    store: Store,
    message_id: str,
    manifest: str,
    sent: int,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
) -> Taken:
    """The store's answer to `sent` entries under `message_id`; NotTaken unless every part of it can be believed."""
    if status != 200:
        raise NotTaken(f"status-{status}", answered=True)
    if len(body) > MAX_ANSWER_BYTES:
        raise NotTaken("too-large", answered=True)
    if not is_genuine(store.secrets, headers, body, now, message_id=message_id):
        raise NotTaken("not-signed", answered=True)
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise NotTaken("not-json", answered=True) from None
    if not isinstance(answer, dict) or answer.get("store") != store.id or answer.get("manifest") != manifest:
        raise NotTaken("answers-something-else", answered=True)
    if answer.get("state") == "refused":
        raise NotTaken(f"refused-{_short(answer.get('reason'))}", answered=True, refused=True)
    if answer.get("state") not in ("applied", "accepted") or answer.get("received") != sent:
        raise NotTaken("received-another-number", answered=True)
    return Taken(sent, _short(answer.get("at")), headers.get("webhook-signature", ""))


def _short(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= 60 and value.isprintable() else "unknown"
