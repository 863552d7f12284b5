"""What the feed needs of a store, whatever its kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, runtime_checkable

from consent.kept_receipts import Kept, kept
from consent.receipts import StoreReceipt
from consent.store_config import Store
from consent.stores.lines import LineEvents
from consent.wire import StoreEvent


@dataclass(frozen=True)
class Batch:
    """One delivery. `message_id` is the same on every retry of the same events; `headers` go along as they are.

    What goes out as one body of compact lines or rows comes as `lines`, and `events` is empty."""

    message_id: str
    events: Sequence[StoreEvent]
    headers: dict[str, str] = field(default_factory=dict)
    lines: LineEvents | None = None


def batch_of(message_id: str, events: Sequence[StoreEvent] | LineEvents, headers: dict[str, str]) -> Batch:
    """The delivery of these events, in the form in which they are."""
    if isinstance(events, LineEvents):
        return Batch(message_id, (), headers, events)
    return Batch(message_id, events, headers)


@dataclass(frozen=True)
class BatchAnswer:
    """A believed answer: one receipt for each event, in order, and the signature they came with."""

    receipts: Sequence[StoreReceipt]
    signature: str

    @cached_property
    def kept(self) -> Kept:
        """The receipts as they are kept."""
        return kept(self.receipts)

    @cached_property
    def open_still(self) -> list[StoreReceipt]:
        """Those that do not confirm."""
        if all(state.confirms for state in self.kept.states):
            return []
        return [receipt for receipt in self.receipts if not receipt.state.confirms]


class NotDelivered(Exception):
    """The batch does not count as delivered. `reason` is a stable code; `answered` says that the store spoke, so
    that the fault may lie in the content; `retry_after_seconds` is what the store asked for."""

    def __init__(self, reason: str, *, answered: bool, retry_after_seconds: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.answered, self.retry_after_seconds = reason, answered, retry_after_seconds


class StoreAdapter(Protocol):
    """One store. Both calls block, within the time limits of `outbound`."""

    store: Store

    def deliver(self, batch: Batch) -> BatchAnswer:
        """Tell the store; NotDelivered unless its answer is believed."""
        ...

    def is_well(self) -> bool:
        """Whether the store answers a message without events: then a batch that fails is itself the trouble."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """A store that can be told a batch so far that nothing of it holds before it is delivered."""

    def prepare(self, batch: Batch) -> None:
        """Begin to tell it, beside what the caller does meanwhile; `deliver` of the same message ends it, and of
        another takes it back. What goes wrong shows when it is delivered."""
        ...

    def take_back(self) -> None:
        """It is not delivered now."""
        ...
