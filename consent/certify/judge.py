"""Whether what came back is what has to come back. Pure: every rule takes values and gives a reason, or None."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from consent.certify.case import Expect
from consent.certify.forge import Message
from consent.receipts import Expected, NotBelieved, State, StoreReceipt, read_answer
from consent.store_config import Store
from consent.wire_signature import is_genuine


@dataclass(frozen=True)
class Answer:
    """What came back. `status` 0 means that nothing did, for the `reason`."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Judged:
    """`reason` None: as it should be. `receipts` are those that could be believed."""

    reason: str | None
    receipts: tuple[StoreReceipt, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What an answer is held against. `poison` is the number of an event that must not be confirmed."""

    store: Store
    sent: Message
    states: frozenset[State]
    earlier: Sequence[StoreReceipt] = ()
    poison: int | None = None
    removed: int | None = None


def judge(expect: Expect, asked: Asked, answer: Answer, now: datetime) -> Judged:
    if answer.status == 0:
        return Judged(f"no answer: {answer.reason}")
    return _RULES[expect](asked, answer, now)


def _receipts(asked: Asked, answer: Answer, now: datetime) -> Judged:
    try:
        found = _read(asked, answer, now)
    except NotBelieved as error:
        return Judged(f"not believed: {error.reason}")
    wrong = [receipt for receipt in found if receipt.state not in asked.states]
    if wrong:
        return Judged(f"event {wrong[0].event} is {wrong[0].state.value}", found)
    if asked.removed is not None and any(_miscounts(receipt, asked.removed) for receipt in found):
        return Judged(f"removed {found[0].removed}, and {asked.removed} were held", found)
    return Judged(None, found)


def _miscounts(receipt: StoreReceipt, removed: int) -> bool:
    """One that only accepted has removed nothing yet, and is not asked how much."""
    return receipt.state is not State.ACCEPTED and receipt.removed != removed


def _read(asked: Asked, answer: Answer, now: datetime) -> tuple[StoreReceipt, ...]:
    sent = asked.sent
    told = Expected.of(sent.told)
    return read_answer(asked.store, sent.id, told, answer.status, answer.headers, answer.body, now)


def _same(asked: Asked, answer: Answer, now: datetime) -> Judged:
    judged = _receipts(asked, answer, now)
    if judged.reason is not None:
        return judged
    for before, after in zip(asked.earlier, judged.receipts, strict=True):
        kept_promise = before.state is State.ACCEPTED and after.state.confirms
        same = (before.event, before.version, before.removed) == (after.event, after.version, after.removed)
        if not (kept_promise or (same and before.state is after.state)):
            return Judged(f"event {after.event} has another receipt than before", judged.receipts)
    return judged


def _unauthorized(_asked: Asked, answer: Answer, _now: datetime) -> Judged:
    return Judged(None if answer.status == 401 else f"answered {answer.status}")


def _turned_down(_asked: Asked, answer: Answer, _now: datetime) -> Judged:
    return Judged(None if 400 <= answer.status < 500 else f"answered {answer.status}")


def _refused_or_down(asked: Asked, answer: Answer, now: datetime) -> Judged:
    if answer.status != 200:
        return _turned_down(asked, answer, now)
    try:
        found = _read(asked, answer, now)
    except NotBelieved as error:
        return Judged(f"not believed: {error.reason}")
    poisoned = next((receipt for receipt in found if receipt.event == asked.poison), None)
    if poisoned is None or poisoned.state is not State.REFUSED:
        return Judged(
            f"the event that is not to be taken is {poisoned.state.value if poisoned else 'passed over'}", found
        )
    return Judged(None, found)


def _greeted(asked: Asked, answer: Answer, now: datetime) -> Judged:
    if answer.status != 200:
        return Judged(f"answered {answer.status}")
    return Judged(_signed_receipts(asked, answer, now, none=True))


def _nothing_or_down(asked: Asked, answer: Answer, now: datetime) -> Judged:
    return _turned_down(asked, answer, now) if answer.status != 200 else _greeted(asked, answer, now)


def _once_or_down(asked: Asked, answer: Answer, now: datetime) -> Judged:
    if answer.status != 200:
        return _turned_down(asked, answer, now)
    if reason := _signed_receipts(asked, answer, now, none=False):
        return Judged(reason)
    items = orjson.loads(answer.body)["receipts"]
    said = {(item.get("event"), item.get("version"), item.get("state"), item.get("removed")) for item in items}
    events = {event for event, *_ in said}
    if events != set(asked.sent.told) or len(said) != len(events):
        return Judged("the two receipts of one event differ, or it has none")
    return Judged(None)


def _signed_receipts(asked: Asked, answer: Answer, now: datetime, *, none: bool) -> str | None:
    """Why this is no signed answer of this store with a list of receipts, which is empty if `none`."""
    if not is_genuine(asked.store.secrets, answer.headers, answer.body, now, message_id=asked.sent.id):
        return "the answer is not signed"
    document = read_object(answer.body)
    if document is None or document.get("store") != asked.store.id:
        return "the answer does not name this store"
    receipts = document.get("receipts")
    if not isinstance(receipts, list) or not all(isinstance(item, dict) for item in receipts):
        return "the answer has no list of receipts"
    return "there are receipts, and nothing was told" if none and receipts else None


def read_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in `body`; None for anything else."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


_RULES: dict[Expect, Callable[[Asked, Answer, datetime], Judged]] = {
    Expect.RECEIPTS: _receipts,
    Expect.SAME: _same,
    Expect.UNAUTHORIZED: _unauthorized,
    Expect.TURNED_DOWN: _turned_down,
    Expect.REFUSED_OR_DOWN: _refused_or_down,
    Expect.GREETED: _greeted,
    Expect.NOTHING_OR_DOWN: _nothing_or_down,
    Expect.ONCE_OR_DOWN: _once_or_down,
}
