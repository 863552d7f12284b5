"""One search under way: its pages, one after the other, and the ranges into which it was split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fhir_bridge.retrieve.plan import Search
from fhir_bridge.retrieve.ranges import EVER, Span
from fhir_bridge.retrieve.states import Dropped, Notice

UNKNOWN_LEFT = {
    "Observation": 12.0, "DiagnosticReport": 6.0, "DocumentReference": 6.0, "Encounter": 6.0, "Provenance": 6.0,
    "MedicationRequest": 5.0, "Condition": 4.0, "Procedure": 3.0, "Immunization": 2.0,
    "AllergyIntolerance": 0.5, "BodyStructure": 0.5, "CarePlan": 0.5, "CareTeam": 0.5, "Coverage": 0.5, "Device": 0.5,
    "FamilyMemberHistory": 0.5, "Goal": 0.5, "MedicationStatement": 0.5, "QuestionnaireResponse": 0.5,
    "RelatedPerson": 0.5, "SupplyDelivery": 0.5,
}  # fmt: skip
"""How many pages a search is thought to have before its first one says; 1 for the types not named. Less for what most
people have few of: it comes after the known pages of others, which take time to keep, too."""
LONG_CATEGORIES = {"laboratory": 12.0, "vital-signs": 12.0}
OTHER_CATEGORY = 3.0
"""The same for measurements that are asked for category by category."""


@dataclass(frozen=True)
class Mark:
    """How far a search is: `next` is its next page as the server named it, None when it was read to its end.

    Kept with each page, so that a killed retrieval goes on from here and asks for no page twice.
    """

    query: str
    next: str | None
    pages: int
    notices: tuple[Notice, ...]
    dropped: tuple[Dropped, ...]
    stopped: str | None


@dataclass
class Split:
    """A search asked for in ranges: what they gave is counted against `total` before `rest` may be forgotten."""

    chain: Chain
    rest: str
    total: int
    seen: set[str]
    open: int
    claimed: int = 0
    broken: bool = False
    undated_asked: bool = False


@dataclass
class Chain:
    """One search, or one range of one (`part_of`). `left`: pages thought to come; `within`: the range."""

    search: Search
    url: str
    part_of: Split | None = None
    within: Span = EVER
    left: float = 1.0
    pages: int = 0
    answered: bool = False
    resumed: bool = False
    splits: bool = True
    whole: bool = True
    status: int | None = None
    stopped: str | None = None
    visited: set[str] = field(default_factory=set)
    notices: list[Notice] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    refused_codes: set[str] = field(default_factory=set)

    @property
    def abandoned(self) -> bool:
        """Whether it is a range of a search whose ranges turned out to be of no use."""
        split = self.part_of
        while split is not None:
            if split.broken:
                return True
            split = split.chain.part_of
        return False

    @property
    def mark(self) -> Mark:
        """Its state after a page that was not its last."""
        return self._mark(self.url)

    @property
    def end_mark(self) -> Mark:
        return self._mark(None)

    def saw(self, ids: set[str]) -> None:
        """Tell the split it is a part of, and that one's, what a page held."""
        split = self.part_of
        while split is not None:
            split.seen |= ids
            split = split.chain.part_of

    def _mark(self, following: str | None) -> Mark:
        return Mark(
            self.search.query, following, self.pages, tuple(dict.fromkeys(self.notices)), tuple(self.dropped),
            self.stopped,
        )  # fmt: skip


def chain_of(search: Search, base: str, marks: Mapping[str, Mark]) -> tuple[Chain, bool]:
    """A search to be asked for, from where an earlier run left it; and whether anything is left of it to ask."""
    whole = "&_lastUpdated=" not in search.query
    chain = Chain(search, f"{base.rstrip('/')}/{search.query}", left=_unknown_left(search), whole=whole)
    mark = marks.get(search.query)
    if mark is None:
        return chain, True
    chain.pages, chain.answered, chain.stopped = mark.pages, True, mark.stopped
    chain.notices, chain.dropped = list(mark.notices), list(mark.dropped)
    if mark.next is not None:
        chain.url, chain.resumed, chain.splits = mark.next, True, False
    return chain, mark.next is not None


def _unknown_left(search: Search) -> float:
    if search.type == "Observation" and search.category is not None:
        return LONG_CATEGORIES.get(search.category.rpartition("|")[2], OTHER_CATEGORY)
    return UNKNOWN_LEFT.get(search.type, 1.0)
