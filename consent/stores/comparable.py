"""What a store says is in force there, compared by event numbers: nothing in it names anyone. Pure, but for asking.

A *fact* is the newest event that a store holds about one person: its number, the person's version, and the answer that
is in force in its data now. A *digest* is over the facts of a span of numbers: SHA-256 of one line each, `event version
answer` and a line end, by rising number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from consent.decision import Answer
from consent.stores.adapter import NotDelivered

MOST_SPANS = 1_024
MOST_NUMBERS = 20_000
"""At most so many event numbers are asked for one by one in a request; their facts stay far below any limit."""
LARGEST = 2**53


class Span(NamedTuple):
    """Event numbers, both ends included."""

    first: int
    last: int

    @property
    def width(self) -> int:
        return self.last - self.first + 1


class Fact(NamedTuple):
    """`answer` is `yes` or `no`: what holds in the store's data, whatever it was told."""

    event: int
    version: int
    answer: str


class Digest(NamedTuple):
    """Of one span. `digest` None: this kind of store can only count."""

    total: int
    nos: int
    digest: str | None

    def agrees_with(self, other: Digest) -> bool:
        if (self.total, self.nos) != (other.total, other.nos):
            return False
        return self.digest is None or other.digest is None or self.digest == other.digest


class Counts(NamedTuple):
    """Of all. `stray`: people kept out for whom there is no fact."""

    total: int
    nos: int
    stray: int


class CannotCompare(Exception):
    """This store has no way to be compared."""


@runtime_checkable
class Comparable(Protocol):
    """A store that can be asked. Every call raises NotDelivered when the answer is not to be believed, and
    CannotCompare when the store offers none. Facts above `through` are left out of all answers."""

    def counts(self, through: int) -> Counts: ...

    def digests(self, through: int, spans: Sequence[Span]) -> list[Digest]:
        """One for each of at most MOST_SPANS spans, in order; they are rising and do not overlap."""
        ...

    def facts(self, through: int, spans: Sequence[Span]) -> list[Fact]:
        """The facts in these spans, of at most MOST_NUMBERS numbers in all."""
        ...


def digest_of(facts: Iterable[Fact]) -> Digest:
    """The digest of facts by rising number."""
    lines = [f"{event} {version} {answer}\n" for event, version, answer in facts]
    nos = sum(line.endswith(" no\n") for line in lines)
    return Digest(len(lines), nos, hashlib.sha256("".join(lines).encode()).hexdigest())


def read_counts(answer: Any) -> Counts:
    """`{"total": 9, "nos": 7, "stray": 0}` of an answer; NotDelivered when it is not that."""
    values = [_count(answer.get(name)) for name in Counts._fields] if isinstance(answer, dict) else []
    if len(values) != len(Counts._fields) or values[1] > values[0]:
        raise NotDelivered("not-counts", answered=True)
    return Counts(*values)


def read_digests(answer: Any, spans: Sequence[Span]) -> list[Digest]:
    """A list of `[total, nos, digest]`, one for each span; NotDelivered when it is not that, or cannot be true."""
    if not isinstance(answer, list) or len(answer) != len(spans):
        raise NotDelivered("not-digests", answered=True)
    found = []
    for item, span in zip(answer, spans, strict=True):
        if not isinstance(item, list) or len(item) != 3 or not isinstance(item[2], str) or len(item[2]) != 64:
            raise NotDelivered("not-digests", answered=True)
        digest = Digest(_count(item[0]), _count(item[1]), item[2])
        if not digest.nos <= digest.total <= span.width:
            raise NotDelivered("impossible-counts", answered=True)
        found.append(digest)
    return found


def read_facts(answer: Any, spans: Sequence[Span]) -> list[Fact]:
    """A list of `[event, version, answer]`; NotDelivered when one was not asked for, or comes twice."""
    if not isinstance(answer, list) or len(answer) > sum(span.width for span in spans):
        raise NotDelivered("not-facts", answered=True)
    found: dict[int, Fact] = {}
    for item in answer:
        if not isinstance(item, list) or len(item) != 3 or item[2] not in (Answer.YES.value, Answer.NO.value):
            raise NotDelivered("not-facts", answered=True)
        fact = Fact(_count(item[0]), _count(item[1]), item[2])
        if fact.event in found or not any(span.first <= fact.event <= span.last for span in spans):
            raise NotDelivered("facts-not-asked-for", answered=True)
        found[fact.event] = fact
    return [found[event] for event in sorted(found)]


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < LARGEST:
        raise NotDelivered("not-a-count", answered=True)
    return value
