"""The test door of a store: takes invented people in, and says what is held. A store in production has none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import orjson

from consent.certify.case import Craft, Holds
from consent.certify.forge import Message, is_about, signed
from consent.certify.judge import Answer, read_object
from consent.certify.line import Line
from consent.store_config import Store
from consent.stores.adapter import NotDelivered
from consent.stores.comparable import Fact, Span, digest_of, read_counts, read_digests, read_facts
from consent.wire_signature import is_genuine


class DoorShut(Exception):
    """The test door did not answer as agreed; `reason` says how."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotOffered(DoorShut):
    """The store has no such door, and need not have it."""


@dataclass(frozen=True)
class TestMode:
    """What a store in test mode says of itself: the identifier system of its invented people, and the number of the
    last event that it was told."""

    __test__ = False
    system: str
    last: int


@dataclass(frozen=True)
class Held:
    """What the store says of one person: entries, and the answer and version of the choice that is its business."""

    entries: int
    answer: str | None
    version: int


class TestDoor:
    """Asks the store's test door; each question is signed as a message, and so is its answer."""

    __test__ = False

    def __init__(self, store: Store, line: Line, clock: Callable[[], datetime]) -> None:
        self._store, self._line, self._clock = store, line, clock

    def mode(self) -> TestMode:
        """DoorShut unless the store says that it is in test mode."""
        answer = self._ask({"ask": "mode"})
        system, last = answer.get("system"), answer.get("last")
        if answer.get("test") is not True or not isinstance(system, str) or not isinstance(last, int) or last < 0:
            raise DoorShut("the store does not say that it is in test mode")
        return TestMode(system, last)

    def feed(self, system: str, value: str, what: Holds, *, slip: bool = False) -> bool:
        """Bring an invented person as the store's own feed would; whether they were taken in. `slip`: past its rule."""
        one = {"system": system, "value": value, "label": "Alex Invented", "entries": what.entries, "twice": what.twice}
        one |= {"slip": True} if slip else {}
        answer = self._ask({"ask": "feed", "people": [one]})
        taken = answer.get("taken")
        if not isinstance(taken, int) or isinstance(taken, bool):
            raise DoorShut("the answer to a feed does not say how many were taken")
        return taken > 0

    def held(self, system: str, value: str) -> Held:
        answer = self._ask({"ask": "held", "people": [{"system": system, "value": value}]})
        found = answer.get("held")
        if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], dict):
            raise DoorShut("the answer does not say what is held")
        one: Mapping[str, Any] = found[0]
        standing = [row for row in one.get("standing") or [] if is_about(row.get("choice"), self._store)]
        newest = max(standing, key=lambda row: int(row["version"]), default=None)
        entries = one.get("entries")
        if not isinstance(entries, int):
            raise DoorShut("the answer does not say how many entries are held")
        return Held(entries, str(newest["answer"]) if newest else None, int(newest["version"]) if newest else 0)

    def missing(self) -> set[int]:
        """The event numbers that the store knows it has missed, at most 100,000."""
        ranges = self._ask({"ask": "gaps"}).get("missing")
        if not isinstance(ranges, list) or not all(_is_range(each) for each in ranges):
            raise DoorShut("the answer does not say which events are missing")
        return {number for first, last in ranges for number in range(first, min(last, first + 100_000) + 1)}

    def finish(self) -> Sequence[Mapping[str, Any]]:
        """Have it do now what it only accepted; the later receipts of that."""
        receipts = self._ask({"ask": "finish"}).get("receipts")
        if not isinstance(receipts, list) or not all(isinstance(each, dict) for each in receipts):
            raise DoorShut("the answer has no later receipts")
        return receipts

    def facts(self, span: Span) -> list[Fact] | None:
        """What is in force of the events in `span`, as reconciliation asks it, when facts, digest and counts agree;
        None from a store that cannot be compared."""
        asked = {"through": span.last, "spans": [list(span)]}
        try:
            found = read_facts(self._ask({"ask": "facts", **asked}, "reconcile").get("facts"), [span])
            (digest,) = read_digests(self._ask({"ask": "digests", **asked}, "reconcile").get("digests"), [span])
            counts = self._ask({"ask": "counts", "through": span.last}, "reconcile").get("counts")
            fewest = read_counts(counts).total
        except NotOffered:
            return None
        except NotDelivered as error:
            raise DoorShut(f"asked what is in force: {error.reason}") from None
        if digest != digest_of(found) or fewest < len(found):
            raise DoorShut("asked what is in force: facts, digest and counts do not agree")
        return found

    def _ask(self, question: Mapping[str, Any], door: str = "test") -> Mapping[str, Any]:
        sent = Message(f"{door}-{uuid4()}", "application/json", orjson.dumps(question), {}, {})
        headers = signed(self._store, sent, Craft.PLAIN, self._clock())
        return self._read(sent, self._line.post(headers, sent.body, door), door)

    def _read(self, sent: Message, answer: Answer, door: str) -> Mapping[str, Any]:
        if door == "reconcile" and answer.status in (404, 405, 501):
            raise NotOffered(door)
        if answer.status != 200:
            raise DoorShut(f"the door {door} answered {answer.status or answer.reason}")
        if not is_genuine(self._store.secrets, answer.headers, answer.body, self._clock(), message_id=sent.id):
            raise DoorShut(f"the answer of the door {door} is not signed")
        found = read_object(answer.body)
        if found is None or found.get("store") != self._store.id:
            raise DoorShut(f"the answer of the door {door} does not name this store")
        return found


def _is_range(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(each, int) for each in value)
