"""What several hospitals tell alike, for copies that people read: one line with each of them named. Pure.

The same rule as on the pages (`reading/same.py`). Entries are read as they come and held a day at a time, so a long
record needs no more memory than its fullest day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from fhir_bridge.export.copy_facts import CopyFacts
from fhir_bridge.reading.line import LineView, read_line
from fhir_bridge.reading.same import Folded, folded
from fhir_bridge.reading.shape import key_of
from fhir_bridge.reading.titles import medication_reference
from fhir_bridge.record_copy import Copied
from vocabulary.resource import Resource

Medications = Mapping[tuple[str, str], Resource]
MOST_OF_A_DAY = 500


@dataclass(frozen=True)
class Told:
    """An entry with its line, as `same.Listed` has it."""

    entry: Copied
    line: LineView

    @property
    def provider_id(self) -> str:
        return self.entry.provider_id


def line_of(one: Copied, medications: Medications) -> LineView:
    """The line of one entry, with the name of the medicine it refers to."""
    resource = one.resource
    named = medication_reference(resource)
    return read_line(resource, medications.get((one.provider_id, key_of(named))) if named else None)


def told_alike(entries: Iterable[Copied], medications: Medications, facts: CopyFacts) -> Iterator[Folded[Told]]:
    """Each entry once, those alike of other hospitals under the first; kinds and days stay in the order they come in.

    A record of one hospital has nothing to fold and is passed on entry by entry.
    """
    several = len({name for name, _ in facts.brought}) > 1
    held: list[Told] = []
    for one in entries:
        told = Told(one, line_of(one, medications))
        if held and (not several or len(held) == MOST_OF_A_DAY or _day(held[0]) != _day(told)):
            yield from folded(held)
            held = []
        held.append(told)
    yield from folded(held)


def names_of(group: Folded[Told], facts: CopyFacts) -> str:
    """Every hospital that tells of it, the first one first."""
    return " · ".join(dict.fromkeys(facts.name(one.provider_id) for one in (group.first, *group.others)))


def _day(told: Told) -> tuple[str, str]:
    return told.entry.kind, told.line.sort_date[:10]
