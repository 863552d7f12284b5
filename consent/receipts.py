"""What a store answers, read and checked before any of it is believed. Pure.

A store may be down, slow, garbled or lying: an answer counts only when it is signed with the store's own secret,
answers this very message, and speaks of exactly the events it was sent, at no lower version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import chain
from operator import lt
from typing import Annotated, Any, NamedTuple, overload

import msgspec
import orjson

from consent.store_config import Store
from consent.wire_signature import is_genuine


class State(StrEnum):
    """What a store says it did with one event."""

    ACCEPTED = "accepted"
    APPLIED = "applied"
    NOTHING_HELD = "nothing-held"
    NOT_FOUND = "not_found"
    AMBIGUOUS = "ambiguous"
    REFUSED = "refused"

    @property
    def confirms(self) -> bool:
        """Whether the decision is in force there. `accepted` is a promise, still to be kept."""
        return self in (State.APPLIED, State.NOTHING_HELD)

    @property
    def needs_staff(self) -> bool:
        return self in (State.NOT_FOUND, State.AMBIGUOUS, State.REFUSED)


LONGEST_WORD = 80
MOST_ANSWERED = 5_000
"""At most so many events are answered for at once."""
_Number = Annotated[int, msgspec.Meta(ge=1, lt=2**53)]
_Word = Annotated[str, msgspec.Meta(max_length=LONGEST_WORD)]


class StoreReceipt(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One event's receipt, as signed. `removed` counts entries; `keeps` names the minimum kept; `reference` the
    store's own reference; `at` its own time as text."""

    event: _Number
    version: _Number
    state: State
    removed: Annotated[int, msgspec.Meta(ge=0, lt=2**53)] | None = None
    stopped: bool | None = None
    keeps: _Word | None = None
    reference: _Word | None = None
    reason: _Word | None = None
    at: _Word | None = None

    def as_detail(self) -> dict[str, Any]:
        """The compact form kept in the ledger."""
        return dict(msgspec.to_builtins(self))


class AlikeReceipts(Sequence[StoreReceipt]):
    """Receipts of many events that differ in nothing but the event and its version; `says` is any one of them."""

    __slots__ = ("numbers", "says", "versions")

    def __init__(self, numbers: Sequence[int], versions: Sequence[int], says: StoreReceipt) -> None:
        self.numbers, self.versions, self.says = numbers, versions, says

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> StoreReceipt: ...
    @overload
    def __getitem__(self, place: slice) -> AlikeReceipts: ...
    def __getitem__(self, place: int | slice) -> StoreReceipt | AlikeReceipts:
        if isinstance(place, slice):
            return AlikeReceipts(self.numbers[place], self.versions[place], self.says)
        return msgspec.structs.replace(self.says, event=self.numbers[place], version=self.versions[place])


class _Answer(msgspec.Struct):
    """An answer in which nothing has to be left out."""

    store: str
    receipts: Annotated[list[StoreReceipt], msgspec.Meta(max_length=MOST_ANSWERED)]


_ANSWER = msgspec.json.Decoder(_Answer)


class NotBelieved(Exception):
    """The answer does not count as a delivery; `reason` is a stable code for the status and the logs."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


MAX_ANSWER_BYTES = 4_000_000


class Expected(NamedTuple):
    """Of what events an answer must speak: those of the message, by rising number, and the version of each."""

    numbers: Sequence[int]
    versions: Sequence[int]

    @classmethod
    def of(cls, versions: Mapping[int, int]) -> Expected:
        """From event number -> version."""
        numbers = sorted(versions)
        return cls(numbers, [versions[number] for number in numbers])


def read_answer(
    store: Store,
    message_id: str,
    told: Expected,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
) -> tuple[StoreReceipt, ...]:
    """The receipts of one delivery, in event order; NotBelieved when any part of the answer cannot be trusted."""
    if status != 200:
        raise NotBelieved(f"status-{status}")
    receipts = _signed_receipts(store, headers, body, now, message_id)
    if [receipt.event for receipt in receipts] != list(told.numbers):  # most answer in the order of what they were told
        found = {receipt.event: receipt for receipt in receipts}
        if len(found) != len(receipts) or found.keys() != set(told.numbers):
            raise NotBelieved("answers-other-events")
        receipts = tuple(found[event] for event in told.numbers)
    versions = [receipt.version for receipt in receipts]
    if versions != told.versions and any(map(lt, versions, told.versions)):
        raise NotBelieved("answers-older-version")
    return receipts


def read_late_receipts(
    store: Store, headers: Mapping[str, str], body: bytes, now: datetime
) -> tuple[StoreReceipt, ...]:
    """Receipts that a store posts by itself after it had `accepted`; NotBelieved unless it signed them."""
    receipts = _signed_receipts(store, headers, body, now, None)
    if not receipts:
        raise NotBelieved("no-receipts")
    return receipts


def _signed_receipts(
    store: Store, headers: Mapping[str, str], body: bytes, now: datetime, message_id: str | None
) -> tuple[StoreReceipt, ...]:
    if len(body) > MAX_ANSWER_BYTES:
        raise NotBelieved("too-large")
    if not is_genuine(store.secrets, headers, body, now, message_id=message_id):
        raise NotBelieved("not-signed")
    return _flawless(store, body) or _with_flaws(store, body)


def _flawless(store: Store, body: bytes) -> tuple[StoreReceipt, ...] | None:
    """The receipts of an answer that is as it should be, or None for a closer look."""
    try:
        answer = _ANSWER.decode(body)
    except msgspec.DecodeError:
        return None
    if answer.store != store.id or not (_is_plain(body) or _is_printable(answer.receipts)):
        return None
    return tuple(answer.receipts)


def _is_plain(body: bytes) -> bool:
    """Whether nothing in a JSON document can be unprintable: it has no control characters as they are (RFC 8259 section
    7), but DEL, and escapes begin with a backslash."""
    return body.isascii() and b"\\" not in body and b"\x7f" not in body


def _is_printable(receipts: Sequence[StoreReceipt]) -> bool:
    words = chain.from_iterable((one.keeps, one.reference, one.reason, one.at) for one in receipts)
    return "".join(filter(None, words)).isprintable()


def _with_flaws(store: Store, body: bytes) -> tuple[StoreReceipt, ...]:
    """The same, word by word: a flaw that matters is named, a word that cannot be shown is left out."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise NotBelieved("not-json") from None
    if not isinstance(answer, dict) or answer.get("store") != store.id:
        raise NotBelieved("names-another-store")
    items = answer.get("receipts")
    if not isinstance(items, list) or len(items) > MOST_ANSWERED:
        raise NotBelieved("no-receipts")
    return tuple(_receipt(item) for item in items)


def _receipt(item: object) -> StoreReceipt:
    if not isinstance(item, dict):
        raise NotBelieved("receipt-is-not-an-object")
    try:
        state = State(str(item.get("state")))
    except ValueError:
        raise NotBelieved("unknown-state") from None
    return StoreReceipt(
        event=_count(item, "event", minimum=1),
        version=_count(item, "version", minimum=1),
        state=state,
        removed=_count(item, "removed") if item.get("removed") is not None else None,
        stopped=item["stopped"] if isinstance(item.get("stopped"), bool) else None,
        keeps=_short(item, "keeps"),
        reference=_short(item, "reference"),
        reason=_short(item, "reason"),
        at=_short(item, "at"),
    )


def _count(item: Mapping[str, object], key: str, minimum: int = 0) -> int:
    value = item.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value < 2**53:
        raise NotBelieved(f"{key}-is-not-a-count")
    return value


def _short(item: Mapping[str, object], key: str) -> str | None:
    """Text from outside: short, printable, or left out. It is shown as text only, never as a link."""
    value = item.get(key)
    if not isinstance(value, str) or len(value) > LONGEST_WORD or not value.isprintable():
        return None
    return value
