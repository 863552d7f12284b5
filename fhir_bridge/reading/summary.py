"""The cancer summary: what the whole record says about cancer, from raw JSON alone (MC-01 to MC-08).

Only facts count: entries marked as mistakes, ruled out, suspected or not done are left out (FHIR-13).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from fhir_bridge.reading.cancer_cards import NOT_SURE, Card, SpreadFound, cancer_from, cards_from
from fhir_bridge.reading.cancers import site_in
from fhir_bridge.reading.dates import FhirDate
from fhir_bridge.reading.histology import histology_said
from fhir_bridge.reading.how_it_is import disease_status, history_of_spread, other_illnesses, performance, tumor_size
from fhir_bridge.reading.shape import codes, extensions, has_profile, key, key_of, references, same_thing
from fhir_bridge.reading.staging import FoundStage, dated_part, stage_of, stages_in_condition
from fhir_bridge.reading.standing import is_fact
from fhir_bridge.reading.summary_model import Cancer, CancerSummary, Finding, Marker, Stage
from fhir_bridge.reading.treatments import treatments_from
from fhir_bridge.reading.trends import gene_change, genes_studied, trends_from, tumor_marker
from vocabulary.resource import Resource


@dataclass
class _Observed:
    """What the observations say, each with the conditions it is about."""

    stages: list[FoundStage] = field(default_factory=list)
    markers: list[tuple[str, Marker, tuple[str, ...]]] = field(default_factory=list)
    genes: list[tuple[Marker, tuple[str, ...]]] = field(default_factory=list)
    statuses: list[tuple[Finding, tuple[str, ...]]] = field(default_factory=list)
    performances: list[Finding] = field(default_factory=list)
    histories: list[Finding] = field(default_factory=list)
    sizes: list[tuple[Finding, tuple[str, ...]]] = field(default_factory=list)
    studied: list[Finding] = field(default_factory=list)
    illnesses: list[Finding] = field(default_factory=list)
    histologies: list[tuple[Resource, tuple[str, ...]]] = field(default_factory=list)


def summarise(resources: Iterable[Resource]) -> CancerSummary:
    """The summary of one person's record. Total: any JSON objects give a summary."""
    everything = [one for one in resources if isinstance(one, dict)]
    by_key = {key(one): one for one in everything}
    conditions = [one for one in everything if one.get("resourceType") == "Condition"]
    observations = [one for one in everything if one.get("resourceType") == "Observation" and is_fact(one)]
    cards, spread, unsure = cards_from(conditions)
    observed = _observe(observations, by_key)
    cancers = [_dress(card, cards, observed, spread) for card in cards]
    keys = {one for card in cards for one in card.keys} | {found.spread.key for found in spread}
    keys |= {"urn:uuid:" + one.rpartition("/")[2] for one in keys}
    sites = {card.diagnosis.site for card in cards}
    return CancerSummary(
        cancers=tuple(cancers),
        stages=_stages([one.stage for one in observed.stages if _owner(one.focus, cards, None) is None]),
        markers=_latest([(n, m) for n, m, focus in observed.markers if _owner(focus, cards, _site(n)) is None]),
        genes=_unique([one for one, focus in observed.genes if _owner(focus, cards, None) is None]),
        spread=tuple(one.spread for one in spread if _owner(one.related, cards, None) is None),
        spread_history=_newest(observed.histories),
        disease_status=_newest([one for one, focus in observed.statuses if _owner(focus, cards, None) is None]),
        performance=_newest(observed.performances),
        tumor_size=_newest([one for one, focus in observed.sizes if _owner(focus, cards, None) is None]),
        genes_studied=_newest(observed.studied),
        other_illnesses=tuple({str(one.text): one for one in observed.illnesses}.values()),
        treatments=treatments_from(everything, keys, sites, lambda ref: by_key.get(key_of(ref))),
        trends=trends_from(observations),
        not_confirmed=tuple({one.clinical: one for one in unsure if not _since_confirmed(one, sites)}.values()),
    )


def _since_confirmed(finding: Finding, sites: set[str]) -> bool:
    """Whether what was once suspected stands in the record as a cancer of the same place."""
    return finding.text == NOT_SURE and site_in(finding.clinical.lower()) in sites


def _observe(observations: list[Resource], by_key: dict[str, Resource]) -> _Observed:
    observed = _Observed()
    written = [part for part in map(dated_part, observations) if part is not None]
    for one in observations:
        focus = _focus(one)
        stage = stage_of(one, by_key, written)
        if stage is not None:
            observed.stages.append(FoundStage(stage.stage, focus))
            continue
        marker, gene, status = tumor_marker(one), gene_change(one), disease_status(one)
        active, history = performance(one), history_of_spread(one)
        observed.markers += [(marker[0], marker[1], focus)] if marker is not None and gene is None else []
        observed.genes += [(gene, focus)] if gene is not None and not _is_absent(gene) else []
        observed.statuses += [(status, focus)] if status is not None else []
        observed.performances += [active] if active is not None else []
        observed.histories += [history] if history is not None else []
        size, looked_at = tumor_size(one), genes_studied(one)
        observed.sizes += [(size, focus)] if size is not None else []
        observed.studied += [looked_at] if looked_at is not None else []
        observed.illnesses += other_illnesses(one, lambda ref: by_key.get(key_of(ref)))
        if "31206-6" in codes(one.get("code")) or has_profile(one, "mcode-histologic-behavior-and-type"):
            observed.histologies.append((one, focus))
    return observed


def _is_absent(gene: Marker) -> bool:
    return str(gene.result) in ("not found", "negative")


def _focus(observation: Resource) -> tuple[str, ...]:
    found = references(observation.get("focus"))
    found += [ref for one in extensions(observation, "mcode-related-condition") for ref in
              references(one.get("valueReference"))]  # fmt: skip
    return tuple(key_of(ref) for ref in found)


_MARKER_SITES = {"er": "breast", "pr": "breast", "er-pr": "breast", "her2": "breast", "oncotype": "breast"}


def _site(marker: str) -> str | None:
    return _MARKER_SITES.get(marker)


def _owner(focus: tuple[str, ...], cards: list[Card], site: str | None) -> Card | None:
    """The cancer that an observation is about: the one it names, the only one, or the only one of its site."""
    named = [card for card in cards if any(same_thing(one, mine) for one in focus for mine in card.keys)]
    if named:
        return named[0]
    if any(one.startswith(("Condition/", "urn:")) for one in focus):
        return None
    if len(cards) == 1:
        return cards[0]
    here = [card for card in cards if site is not None and card.diagnosis.site == site]
    return here[0] if len(here) == 1 else None


def _dress(card: Card, cards: list[Card], observed: _Observed, spread: list[SpreadFound]) -> Cancer:
    """Everything that belongs to one cancer, put on its card."""
    cancer = cancer_from(card)
    stages = [one.stage for one in observed.stages if _owner(one.focus, cards, None) is card]
    known = {one.stage.key for one in observed.stages}
    stages += [stage for one in card.conditions for stage in stages_in_condition(one, known)]
    markers = [(name, one) for name, one, focus in observed.markers if _owner(focus, cards, _site(name)) is card]
    statuses = [one for one, focus in observed.statuses if _owner(focus, cards, None) is card]
    if not cancer.histology_clinical:
        cancer = _with_histology(cancer, card, cards, observed)
    return replace(
        cancer,
        stages=_stages(stages),
        markers=_latest(markers),
        genes=_unique([one for one, focus in observed.genes if _owner(focus, cards, None) is card]),
        spread=tuple(one.spread for one in spread if _owner(one.related, cards, None) is card),
        disease_status=_newest(statuses),
        tumor_size=_newest([one for one, focus in observed.sizes if _owner(focus, cards, None) is card]),
    )


def _with_histology(cancer: Cancer, card: Card, cards: list[Card], observed: _Observed) -> Cancer:
    for one, focus in observed.histologies:
        if _owner(focus, cards, None) is card:
            said, clinical = histology_said(one.get("valueCodeableConcept"))
            return replace(cancer, histology=said, histology_clinical=clinical)
    return cancer


def _stages(stages: list[Stage]) -> tuple[Stage, ...]:
    """Newest first, each telling once; a stage told by a date goes before one without."""
    kept = [one for one in stages if not any(_more_exact(other, one) for other in stages)]
    ordered = sorted(kept, key=lambda one: _sort(one.date), reverse=True)
    return tuple({(one.value, one.system, one.basis, one.date): one for one in reversed(ordered)}.values())[::-1]


def _more_exact(other: Stage, one: Stage) -> bool:
    """Whether `other` tells the same stage of the same day more exactly: IIA beside II."""
    same = (other.system, other.basis, other.date) == (one.system, one.basis, one.date)
    return same and other.value != one.value and re.fullmatch(re.escape(one.value) + "[A-E].*", other.value) is not None


def _latest(markers: list[tuple[str, Marker]]) -> tuple[Marker, ...]:
    """The newest result of each test, in the order estrogen, progesterone, HER2, others."""
    newest: dict[str, Marker] = {}
    for name, one in sorted(markers, key=lambda pair: _sort(pair[1].date)):
        newest[name] = one
    order = ("er", "pr", "er-pr", "her2")
    return tuple(newest[name] for name in sorted(newest, key=lambda n: order.index(n) if n in order else len(order)))


def _unique(genes: list[Marker]) -> tuple[Marker, ...]:
    return tuple({(str(one.name), one.clinical): one for one in genes}.values())


def _newest(findings: list[Finding]) -> Finding | None:
    return max(findings, key=lambda one: _sort(one.date), default=None)


def _sort(found: FhirDate | None) -> str:
    return found.sort.isoformat() if found is not None else ""
