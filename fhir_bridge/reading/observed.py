"""What the observations of a record say about cancer, gathered from one entry after the other.

Nothing grows with the record but what is told: of each test, status and size the newest is held, as a small value, so
that a record of any length is read in little memory (benchmarks, G1.6).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from fhir_bridge.reading.dates import FhirDate
from fhir_bridge.reading.histology import histology_said
from fhir_bridge.reading.how_it_is import (
    disease_status,
    history_of_spread,
    names_illnesses,
    other_illnesses,
    performance,
    tumor_size,
)
from fhir_bridge.reading.markers import ABSENT, NEGATIVE
from fhir_bridge.reading.said import Said
from fhir_bridge.reading.shape import codes, extensions, has_profile, key, key_of, references
from fhir_bridge.reading.staging import DatedPart, FoundStage, Part, dated_part, part_of, stage_of
from fhir_bridge.reading.standing import is_fact
from fhir_bridge.reading.summary_model import Finding, Marker
from fhir_bridge.reading.trends import Trends, gene_change, genes_studied, tumor_marker
from vocabulary.resource import Resource

HISTOLOGY = "31206-6"
Focus = tuple[str, ...]
"""The `Type/id` of what an observation is about; empty when it does not say."""

_Group = TypeVar("_Group", bound=Hashable)
_Told = TypeVar("_Told", Finding, Marker)


@dataclass
class Observed:
    """What was found. In each dictionary stand the newest findings, in the order in which they came."""

    markers: dict[tuple[str, Focus], Marker] = field(default_factory=dict)
    genes: list[tuple[Marker, Focus]] = field(default_factory=list)
    statuses: dict[Focus, Finding] = field(default_factory=dict)
    sizes: dict[Focus, Finding] = field(default_factory=dict)
    performances: dict[None, Finding] = field(default_factory=dict)
    histories: dict[None, Finding] = field(default_factory=dict)
    studied: dict[None, Finding] = field(default_factory=dict)
    histologies: dict[Focus, tuple[Said, str]] = field(default_factory=dict)
    trends: Trends = field(default_factory=Trends)
    _staged: list[Resource] = field(default_factory=list)
    _parts: dict[str, Part] = field(default_factory=dict)
    _written: list[DatedPart] = field(default_factory=list)
    _comorbid: list[Resource] = field(default_factory=list)

    def stages(self) -> list[FoundStage]:
        """The stages, each with the T, N and M that it names or that were written on its day."""
        found = (stage_of(one, self._parts, self._written) for one in self._staged)
        return [one for one in found if one is not None]

    @property
    def illnesses_named(self) -> set[str]:
        """The `Type/id` of the other illnesses that an observation only refers to."""
        return {
            key_of(ref)
            for one in self._comorbid
            for each in extensions(one, "related-condition")
            for ref in references(each.get("valueReference"))
        }

    def illnesses(self, find: Callable[[str], Resource | None]) -> tuple[Finding, ...]:
        """The other illnesses, each once; `find` resolves `illnesses_named`."""
        found = [each for one in self._comorbid for each in other_illnesses(one, find)]
        return tuple({str(one.text): one for one in found}.values())

    def add(self, one: Resource) -> None:
        """Take note of an observation, whatever it says."""
        part, fact = part_of(one), is_fact(one)
        if part is not None:
            self._parts[key(one)] = part
        if not fact:
            return
        self.trends.add(one)
        dated = dated_part(one, part) if part is not None else None
        self._written += [dated] if dated is not None else []
        if stage_of(one, {}) is not None:
            self._staged.append(one)
        else:
            self._add_finding(one, focus_of(one))

    def _add_finding(self, one: Resource, focus: Focus) -> None:
        marker, gene = tumor_marker(one), gene_change(one)
        if gene is not None:
            self.genes += [] if _is_absent(gene) else [(gene, focus)]
        elif marker is not None:
            _keep_last(self.markers, (marker[0], focus), marker[1])
        _keep_newest(self.statuses, focus, disease_status(one))
        _keep_newest(self.sizes, focus, tumor_size(one))
        _keep_newest(self.performances, None, performance(one))
        _keep_newest(self.histories, None, history_of_spread(one))
        _keep_newest(self.studied, None, genes_studied(one))
        if names_illnesses(one):
            self._comorbid.append(one)
        if HISTOLOGY in codes(one.get("code")) or has_profile(one, "mcode-histologic-behavior-and-type"):
            self.histologies.setdefault(focus, histology_said(one.get("valueCodeableConcept")))


def observe(observations: Iterable[Resource]) -> Observed:
    """Everything that the observations say, in one pass."""
    observed = Observed()
    for one in observations:
        observed.add(one)
    return observed


def focus_of(observation: Resource) -> Focus:
    found = references(observation.get("focus"))
    found += [ref for one in extensions(observation, "mcode-related-condition") for ref in
              references(one.get("valueReference"))]  # fmt: skip
    return tuple(key_of(ref) for ref in found)


def newest_of(findings: Iterable[Finding]) -> Finding | None:
    return max(findings, key=lambda one: sort_of(one.date), default=None)


def sort_of(found: FhirDate | None) -> str:
    return found.sort.isoformat() if found is not None else ""


def _is_absent(gene: Marker) -> bool:
    return gene.result in (ABSENT, NEGATIVE)


def _keep_newest(kept: dict[_Group, Finding], group: _Group, found: Finding | None) -> None:
    """Of equal dates the first stands."""
    if found is None:
        return
    standing = kept.get(group)
    if standing is None or sort_of(found.date) > sort_of(standing.date):
        _put(kept, group, found)


def _keep_last(kept: dict[_Group, Marker], group: _Group, found: Marker) -> None:
    """Of equal dates the last stands."""
    standing = kept.get(group)
    if standing is None or sort_of(found.date) >= sort_of(standing.date):
        _put(kept, group, found)


def _put(kept: dict[_Group, _Told], group: _Group, found: _Told) -> None:
    kept.pop(group, None)
    kept[group] = found  # last in the order in which they came
