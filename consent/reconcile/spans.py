"""Which event numbers to ask a store about: few spans first, then smaller ones where they differ. Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from consent.decision import Answer
from consent.stores.comparable import MOST_NUMBERS, MOST_SPANS, Digest, Fact, Span, digest_of

PARTS = 32
SMALLEST = 256
"""A differing span of so many numbers is fetched rather than cut again."""


class Facts:
    """What should be in force at a store, by rising event number: 13 bytes each, whatever their number."""

    def __init__(self, facts: Iterable[tuple[int, int, bool]]) -> None:
        """`facts`: event, version, whether it is a no; by rising event."""
        self._events, self._versions, self._nos = array("q"), array("i"), bytearray()
        for event, version, is_no in facts:
            self._events.append(event)
            self._versions.append(version)
            self._nos.append(is_no)

    def __len__(self) -> int:
        return len(self._events)

    @property
    def nos(self) -> int:
        return self._nos.count(1)

    def within(self, span: Span) -> Iterator[Fact]:
        """The facts of one span, in order."""
        start, stop = bisect_left(self._events, span.first), bisect_right(self._events, span.last)
        for index in range(start, stop):
            answer = Answer.NO if self._nos[index] else Answer.YES
            yield Fact(self._events[index], self._versions[index], answer.value)

    def digest(self, span: Span) -> Digest:
        return digest_of(self.within(span))


def cut(span: Span, parts: int) -> list[Span]:
    """The span in at most so many parts of one width (the last may be smaller)."""
    width = max(1, -(-span.width // parts))
    return [Span(first, min(first + width - 1, span.last)) for first in range(span.first, span.last + 1, width)]


def first_look(through: int, grain: int = 1) -> list[Span]:
    """All event numbers there are, in as many spans as one request takes; for a store that can only count runs of
    `grain` numbers, those runs."""
    if grain > 1:
        return [Span(first, first + grain - 1) for first in range(0, through + 1, grain)] if through else []
    return cut(Span(1, through), MOST_SPANS) if through else []


def small_enough(spans: Sequence[Span]) -> bool:
    """Whether these are to be fetched now, fact by fact, rather than cut again."""
    return sum(span.width for span in spans) <= MOST_NUMBERS or all(span.width <= SMALLEST for span in spans)


def closer_look(spans: Sequence[Span]) -> list[Span]:
    """The same numbers in smaller spans."""
    return [part for span in spans for part in (cut(span, PARTS) if span.width > SMALLEST else [span])]


def requests_of(spans: Sequence[Span], most_spans: int, most_numbers: int | None = None) -> Iterator[list[Span]]:
    """The spans in groups that one request takes: at most so many of them, and so many numbers."""
    group: list[Span] = []
    for span in spans:
        numbers = sum(one.width for one in group) + span.width
        if group and (len(group) >= most_spans or (most_numbers is not None and numbers > most_numbers)):
            yield group
            group = []
        group.append(span)
    if group:
        yield group
