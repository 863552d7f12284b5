"""A handshake and a heartbeat to a store, and what came back in words: what an operator tries before anything else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import uuid4

from consent.certify.case import OBEYED, Craft, Expect
from consent.certify.forge import greeting_of, signed
from consent.certify.judge import Asked, judge
from consent.certify.line import Line
from consent.feed.channel import speak
from consent.store_config import Store
from consent.stores.adapter import StoreAdapter

Kind = Literal["handshake", "heartbeat"]
KINDS: tuple[Kind, ...] = ("handshake", "heartbeat")


@dataclass(frozen=True)
class Greeted:
    """How one went. `reason` None: answered as it should be; `status` 0 where there is none."""

    kind: Kind
    reason: str | None
    status: int
    milliseconds: int

    def __str__(self) -> str:
        said = f", status {self.status}" if self.status else ""
        return f"{self.kind}: {self.reason or 'answered as it should be'}{said}, {self.milliseconds} ms"


def greet_over(line: Line, store: Store, kind: Kind, last_event: int, clock: Callable[[], datetime]) -> Greeted:
    """Sent to a webhook: `last_event` is the number of the last event it was told, so that no gap is announced."""
    sent = greeting_of(store, f"{kind}-{uuid4()}", kind, last_event)
    answer = line.post(signed(store, sent, Craft.PLAIN, clock()), sent.body)
    judged = judge(Expect.GREETED, Asked(store, sent, OBEYED), answer, clock())
    return Greeted(kind, judged.reason, answer.status, round(answer.seconds * 1000))


def greet_by(adapter: StoreAdapter, kind: Kind, last_event: int, clock: Callable[[], datetime]) -> Greeted:
    """For the other kinds of store, in the way that each has."""
    began = clock()
    answered = speak(adapter, kind, last_event)
    took = round((clock() - began).total_seconds() * 1000)
    return Greeted(kind, None if answered else "no answer that could be believed", 0, took)
