"""Shapes a record's standing for its pages: one tile a kind, one line a type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from fhir_bridge.reading.dates import FhirDate
from fhir_bridge.reading.kinds import KIND_NAMES, Kind
from fhir_bridge.record_sources import KindCount, Remark
from fhir_bridge.record_standing import ASKED_TYPES, TYPE_WORDS, Gap, Source, TypeStanding, gap_of, gap_words
from fhir_bridge.retrieve.states import State, words_for, words_for_reason
from vocabulary.phrase import Phrase, phrase

_SHAPES = {
    State.OK: "yes", State.EMPTY: "", State.PARTIAL: "part", State.FAILED: "late",
    State.NOT_AUTHORIZED: "no", State.NOT_SUPPORTED: "no",
}  # fmt: skip
_WORST_FIRST = ("late", "part", "no", "yes", "")
_BEING_FETCHED = phrase("Being fetched.")


@dataclass(frozen=True)
class Tile:
    """One kind: how many, the newest, how many more were withdrawn, and what is missing in a sentence."""

    kind: Kind
    name: Phrase
    count: int
    newest: FhirDate | None
    withdrawn: int
    gap: Gap
    words: Phrase | None

    @property
    def lacks(self) -> bool:
        return self.gap in (Gap.FAILED, Gap.NOT_SHARED, Gap.FETCHING)

    @property
    def is_not_shared(self) -> bool:
        """Nothing of it is here, because nothing of it was shared."""
        return self.gap is Gap.NOT_SHARED and not self.count and not self.withdrawn


@dataclass(frozen=True)
class TypeLine:
    """One type's line: a plain name, FHIR's own name, a shape and words, and what was said and left out."""

    type: str
    name: Phrase | str
    shape: str
    words: Phrase
    count: int
    notices: tuple[str, ...] = ()
    dropped: tuple[tuple[str, Phrase], ...] = ()


@dataclass(frozen=True)
class Progress:
    """One hospital's fetch, type by type; when it is over, trouble comes first."""

    source: Source
    lines: tuple[TypeLine, ...]
    to_come: int


def tiles_of(counted: Mapping[Kind, KindCount], sources: Sequence[Source]) -> tuple[list[Tile], list[Phrase]]:
    """The tiles that have something to say, and the names of the kinds of which there is truly none."""
    tiles, none_there = [], []
    for kind, name in KIND_NAMES.items():
        found = counted.get(kind, KindCount(0, None))
        gap = gap_of(kind, found.count, sources)
        if gap is Gap.NONE_THERE and not found.withdrawn:
            none_there.append(name)
        else:
            words = gap_words(gap, found.count)
            tiles.append(Tile(kind, name, found.count, found.newest, found.withdrawn, gap, words))
    return tiles, none_there


def progress_of(source: Source, said: Mapping[tuple[UUID, str], Remark]) -> Progress:
    """A hospital's fetch, line by line."""
    coming = source.still_to_come
    lines = [TypeLine(name, TYPE_WORDS.get(name, name), "", _BEING_FETCHED, 0) for name in coming]
    lines += [_line(one, said.get((one.retrieval, one.type))) for one in source.types if one.type not in coming]
    if coming:  # the order stays while the list fills, so that nobody loses their place
        lines.sort(key=lambda one: ASKED_TYPES.index(one.type) if one.type in ASKED_TYPES else len(ASKED_TYPES))
    else:
        lines.sort(key=lambda one: (-len(one.dropped), _WORST_FIRST.index(one.shape)))
    return Progress(source, tuple(lines), len(coming))


def _line(one: TypeStanding, remark: Remark | None) -> TypeLine:
    remark = remark or Remark((), ())
    dropped = tuple((f"{kind}/{identity}" if identity else kind, words_for_reason(why))
                    for kind, identity, why in remark.dropped)  # fmt: skip
    return TypeLine(
        one.type, TYPE_WORDS.get(one.type, one.type), _SHAPES[one.state], words_for(one.state), one.count,
        remark.notices, dropped,
    )  # fmt: skip
