"""The same thing told by several hospitals: shown once, with every source beside it. Pure.

Only what is alike in name, day and value is folded, and only between hospitals: what one hospital lists twice stays.
A medicine that was ordered again and again is one line with its earlier orders folded under it (`runs`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from fhir_bridge.reading.line import LineView


class Listed(Protocol):
    """An entry of a list: where it came from, and its line."""

    @property
    def provider_id(self) -> str: ...
    @property
    def line(self) -> LineView: ...


Entry = TypeVar("Entry", bound=Listed)


@dataclass(frozen=True)
class Folded(Generic[Entry]):
    """`first` is shown; `others` are the same from other hospitals."""

    first: Entry
    others: tuple[Entry, ...]


def folded(entries: Sequence[Entry]) -> list[Folded[Entry]]:
    """The entries in their order, those alike from other hospitals under the first of them."""
    groups: list[list[Entry]] = []
    by_likeness: dict[tuple[str, ...], list[list[Entry]]] = {}
    for one in entries:
        alike = by_likeness.setdefault(_likeness(one.line), [])
        group = next((each for each in alike if all(one.provider_id != other.provider_id for other in each)), None)
        if group is None:
            group = []
            groups.append(group)
            alike.append(group)
        group.append(one)
    return [Folded(group[0], tuple(group[1:])) for group in groups]


@dataclass(frozen=True)
class Run(Generic[Entry]):
    """`newest` is shown; `earlier` say the same of older days, newest first."""

    newest: Folded[Entry]
    earlier: tuple[Folded[Entry], ...] = ()


def runs(groups: Sequence[Folded[Entry]]) -> list[Run[Entry]]:
    """What follows on itself with nothing but the day changed, as one; nothing with a warning or a mistake."""
    found: list[list[Folded[Entry]]] = []
    for one in groups:
        if found and _again(found[-1][0]) and _again(found[-1][0]) == _again(one):
            found[-1].append(one)
        else:
            found.append([one])
    return [Run(run[0], tuple(run[1:])) for run in found]


def by_day(rows: Sequence[Run[Entry]]) -> list[tuple[str, list[Run[Entry]]]]:
    """Rows that follow each other with one day, under it: (day as it was sent, rows).

    Only where that says less: with a day of its own for most rows they stay one list, under no day ("").
    """
    found: list[tuple[str, list[Run[Entry]]]] = []
    for row in rows:
        day = row.newest.first.line.date_text[:10]
        if found and found[-1][0] == day:
            found[-1][1].append(row)
        else:
            found.append((day, [row]))
    return found if len(found) * 2 <= len(rows) else [("", list(rows))]


def _again(group: Folded[Entry]) -> tuple[str, ...]:
    line = group.first.line
    if line.warning or line.mistake:
        return ()
    return group.first.provider_id, str(line.title).casefold(), str(line.value_text).casefold(), str(line.flag)


def _likeness(line: LineView) -> tuple[str, ...]:
    """What must be equal: never the status or flag of a mistake folded into a fact."""
    said = (line.title, line.value_text, line.status, line.warning or "", line.date_text[:10], line.mistake)
    return tuple(str(one).casefold() for one in said)
