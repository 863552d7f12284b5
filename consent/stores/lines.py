"""Lines by column: what a store is told by compact lines or rows of COPY, thousands at once and no object for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from threading import Lock
from typing import NamedTuple, overload
from uuid import UUID


class Line(NamedTuple):
    """One thing one store is told by a compact line, not yet numbered. `person` is the person's id as text; `rest` is
    the line after its number, without the line's end, empty while the person's name there cannot be opened."""

    position: int
    version: int
    person: str
    rest: bytes

    @property
    def is_readable(self) -> bool:
        return self.rest != b""


class LineEvent(NamedTuple):
    """A numbered line: what a `StoreEvent` becomes on the wire, when that is all that is needed of it."""

    number: int
    position: int
    version: int
    person: str
    rest: bytes

    @property
    def is_readable(self) -> bool:
        return self.rest != b""

    @property
    def person_id(self) -> UUID:
        return UUID(self.person)


class Lines(Sequence[Line]):
    """Lines by rising position, each column a list of its own, all of one length. The newest body that was made of
    them is kept: stores that are told alike are told the same bytes, as long as they count alike."""

    __slots__ = ("_body", "_listed", "_lock", "first_unreadable", "persons", "positions", "rests", "versions")
    first_unreadable: int | None
    """The place of the first line whose name cannot be opened."""

    def __init__(
        self, positions: Sequence[int], versions: Sequence[int], persons: Sequence[str], rests: Sequence[bytes]
    ) -> None:
        self.positions, self.versions, self.persons, self.rests = positions, versions, persons, rests
        self._body, self._listed, self._lock = (0, b""), "", Lock()
        self.first_unreadable = rests.index(b"") if b"" in rests else None

    def body(self, first: int) -> bytes:
        """The lines with dense numbers from `first`, each with its end."""
        with self._lock:
            if self._body[0] != first:
                rests = zip(count(first), self.rests)
                self._body = first, b"".join([b'{"event":%d%b\n' % pair for pair in rests])
            return self._body[1]

    @property
    def listed(self) -> str:
        """The positions as PostgreSQL writes an array."""
        with self._lock:
            if not self._listed:
                self._listed = "{" + ",".join(map(str, self.positions)) + "}"
            return self._listed

    @classmethod
    def of(cls, lines: Iterable[Line]) -> Lines:
        columns = list(zip(*lines, strict=True)) or [(), (), (), ()]
        return cls(*columns)

    def and_then(self, more: Lines) -> Lines:
        """These, and `more` of higher positions."""
        return Lines(
            [*self.positions, *more.positions],
            [*self.versions, *more.versions],
            [*self.persons, *more.persons],
            [*self.rests, *more.rests],
        )

    def __len__(self) -> int:
        return len(self.rests)

    @overload
    def __getitem__(self, place: int) -> Line: ...
    @overload
    def __getitem__(self, place: slice) -> Lines: ...
    def __getitem__(self, place: int | slice) -> Line | Lines:
        columns = (self.positions[place], self.versions[place], self.persons[place], self.rests[place])
        return Lines(*columns) if isinstance(place, slice) else Line(*columns)  # type: ignore[arg-type]  # of one kind

    def __iter__(self) -> Iterator[Line]:
        return map(Line, self.positions, self.versions, self.persons, self.rests)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lines) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # compared by what is in it, as a list is


class LineEvents(Sequence[LineEvent]):
    """Lines with dense numbers from `first`."""

    __slots__ = ("first", "lines")

    def __init__(self, first: int, lines: Lines) -> None:
        self.first, self.lines = first, lines

    @property
    def numbers(self) -> range:
        return range(self.first, self.first + len(self.lines))

    @property
    def positions(self) -> Sequence[int]:
        return self.lines.positions

    @property
    def versions(self) -> Sequence[int]:
        return self.lines.versions

    @property
    def is_readable(self) -> bool:
        return self.lines.first_unreadable is None

    def __len__(self) -> int:
        return len(self.lines)

    @overload
    def __getitem__(self, place: int) -> LineEvent: ...
    @overload
    def __getitem__(self, place: slice) -> LineEvents: ...
    def __getitem__(self, place: int | slice) -> LineEvent | LineEvents:
        if isinstance(place, slice):
            return LineEvents(self.numbers[place].start, self.lines[place])
        return LineEvent(self.numbers[place], *self.lines[place])

    def __iter__(self) -> Iterator[LineEvent]:
        held = self.lines
        return map(LineEvent, self.numbers, held.positions, held.versions, held.persons, held.rests)


def lines_message(events: LineEvents) -> tuple[str, bytes]:
    """Content type and body of one delivery of lines, as `wire.message` makes it of `StoreEvent`s."""
    return "application/x-ndjson", events.lines.body(events.first)


def rows_body(events: LineEvents) -> bytes:
    """The same of rows in the text format of COPY: the number leads, and each row has its own end. They stand in the
    order of their key, system and value: so the table's index is gone through once and not once for each."""
    rests, first = events.lines.rests, events.first
    order = sorted(range(len(rests)), key=rests.__getitem__)
    return b"".join([b"%d%b" % (first + place, rests[place]) for place in order])
