"""The same thing told by several hospitals: shown once, with every source beside it. Pure.

Only what is alike in name, day and value is folded, and only between hospitals: what one hospital lists twice stays.
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


def _likeness(line: LineView) -> tuple[str, ...]:
    """What must be equal: never the status or flag of a mistake folded into a fact."""
    said = (line.title, line.value_text, line.status, line.warning or "", line.date_text[:10], line.mistake)
    return tuple(str(one).casefold() for one in said)
