"""The cancer summary: what the whole record says about cancer, from raw JSON alone (MC-01 to MC-08).

Only facts count: entries marked as mistakes, ruled out, suspected or not done are left out (FHIR-13). Entries pass by
once, kind after kind, so that a long record never stands in memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from fhir_bridge.reading.cancer_cards import RULED_OUT, Card, SpreadFound, cancer_from, cards_from
from fhir_bridge.reading.cancer_words import site_in
from fhir_bridge.reading.observed import Focus, Observed, newest_of, observe, sort_of
from fhir_bridge.reading.shape import key, key_of, same_thing
from fhir_bridge.reading.staging import FoundStage, stages_in_condition
from fhir_bridge.reading.summary_model import Cancer, CancerSummary, Finding, Marker, Stage
from fhir_bridge.reading.treatments import treatments_from
from vocabulary.resource import Resource

MEDICATIONS, CONDITIONS, OBSERVATIONS = ("Medication",), ("Condition",), ("Observation",)
TREATMENTS = ("Procedure", "MedicationRequest", "MedicationAdministration", "MedicationDispense", "MedicationStatement")

Read = Callable[[tuple[str, ...], Collection[str] | None], Iterable[Resource]]
"""Reads a record's entries of some types: all that can matter to the story, or exactly those of some keys (`Type/id`).

What cannot matter may be left out or not (reading/sieve.py)."""


def summarise(resources: Iterable[Resource]) -> CancerSummary:
    """The summary of one person's record. Total: any JSON objects give a summary."""
    everything = [one for one in resources if isinstance(one, dict)]

    def read(types: tuple[str, ...], keys: Collection[str] | None) -> Iterable[Resource]:
        own = (one for one in everything if one.get("resourceType") in types)
        return own if keys is None else (one for one in own if key(one) in keys)

    return story_of(read)


def story_of(read: Read) -> CancerSummary:
    """The summary of a record that is read kind after kind."""
    cards, spread, apart = cards_from(read(CONDITIONS, None))
    observed = observe(read(OBSERVATIONS, None))
    stages = observed.stages()
    cancers = [_dress(card, cards, observed, stages, spread) for card in cards]
    keys = {one for card in cards for one in card.keys} | {found.spread.key for found in spread}
    keys |= {"urn:uuid:" + one.rpartition("/")[2] for one in keys}
    sites = {card.diagnosis.site for card in cards}
    medicines = {key(one): one for one in read(MEDICATIONS, None)}
    return CancerSummary(
        cancers=tuple(cancers),
        stages=_stages([one.stage for one in stages if _owner(one.focus, cards, None) is None]),
        markers=_latest(_markers_of(observed, cards, None)),
        genes=_unique([one for one, focus in observed.genes if _owner(focus, cards, None) is None]),
        spread=tuple(one.spread for one in spread if _owner(one.related, cards, None) is None),
        spread_history=newest_of(observed.histories.values()),
        disease_status=_newest(observed.statuses, cards, None),
        performance=newest_of(observed.performances.values()),
        tumor_size=_newest(observed.sizes, cards, None),
        genes_studied=newest_of(observed.studied.values()),
        other_illnesses=_illnesses(observed, read),
        treatments=treatments_from(read(TREATMENTS, None), keys, sites, lambda ref: medicines.get(key_of(ref))),
        trends=observed.trends.told(),
        told_apart=tuple({one.clinical: one for one in apart if not _stands(one, sites)}.values()),
    )


def _illnesses(observed: Observed, read: Read) -> tuple[Finding, ...]:
    wanted = observed.illnesses_named
    types = tuple(sorted({one.partition("/")[0] for one in wanted}))
    named = {key(one): one for one in read(types, wanted)} if wanted else {}
    return observed.illnesses(lambda ref: named.get(key_of(ref)))


def _stands(finding: Finding, sites: set[str]) -> bool:
    """Whether what was once suspected, or is told as past, stands in the record as a cancer of the same place."""
    return finding.text != RULED_OUT and site_in(finding.clinical.lower()) in sites


_MARKER_SITES = {"er": "breast", "pr": "breast", "er-pr": "breast", "her2": "breast", "oncotype": "breast"}


def _site(marker: str) -> str | None:
    return _MARKER_SITES.get(marker)


def _owner(focus: Focus, cards: list[Card], site: str | None) -> Card | None:
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


def _dress(
    card: Card, cards: list[Card], observed: Observed, found: list[FoundStage], spread: list[SpreadFound]
) -> Cancer:
    """Everything that belongs to one cancer, put on its card."""
    cancer = cancer_from(card)
    stages = [one.stage for one in found if _owner(one.focus, cards, None) is card]
    known = {one.stage.key for one in found}
    stages += [stage for one in card.conditions for stage in stages_in_condition(one, known)]
    if not cancer.histology_clinical:
        cancer = _with_histology(cancer, card, cards, observed)
    return replace(
        cancer,
        stages=_stages(stages),
        markers=_latest(_markers_of(observed, cards, card)),
        genes=_unique([one for one, focus in observed.genes if _owner(focus, cards, None) is card]),
        spread=tuple(one.spread for one in spread if _owner(one.related, cards, None) is card),
        disease_status=_newest(observed.statuses, cards, card),
        tumor_size=_newest(observed.sizes, cards, card),
    )


def _with_histology(cancer: Cancer, card: Card, cards: list[Card], observed: Observed) -> Cancer:
    for focus, (said, clinical) in observed.histologies.items():
        if _owner(focus, cards, None) is card:
            return replace(cancer, histology=said, histology_clinical=clinical)
    return cancer


def _markers_of(observed: Observed, cards: list[Card], card: Card | None) -> list[tuple[str, Marker]]:
    """The tests that belong to one cancer; for None those that cannot be tied to one."""
    found = observed.markers.items()
    return [(name, one) for (name, focus), one in found if _owner(focus, cards, _site(name)) is card]


def _stages(stages: list[Stage]) -> tuple[Stage, ...]:
    """Newest first, each telling once; a stage told by a date goes before one without."""
    kept = [one for one in stages if not any(_more_exact(other, one) for other in stages)]
    ordered = sorted(kept, key=lambda one: sort_of(one.date), reverse=True)
    return tuple({(one.value, one.system, one.basis, one.date): one for one in reversed(ordered)}.values())[::-1]


def _more_exact(other: Stage, one: Stage) -> bool:
    """Whether `other` tells the same stage of the same day more exactly: IIA beside II."""
    same = (other.system, other.basis, other.date) == (one.system, one.basis, one.date)
    return same and other.value != one.value and re.fullmatch(re.escape(one.value) + "[A-E].*", other.value) is not None


def _latest(markers: list[tuple[str, Marker]]) -> tuple[Marker, ...]:
    """The newest result of each test, in the order estrogen, progesterone, HER2, others."""
    newest: dict[str, Marker] = {}
    for name, one in sorted(markers, key=lambda pair: sort_of(pair[1].date)):
        newest[name] = one
    order = ("er", "pr", "er-pr", "her2")
    return tuple(newest[name] for name in sorted(newest, key=lambda n: order.index(n) if n in order else len(order)))


def _unique(genes: list[Marker]) -> tuple[Marker, ...]:
    return tuple({(str(one.name), one.clinical): one for one in genes}.values())


def _newest(findings: dict[Focus, Finding], cards: list[Card], card: Card | None) -> Finding | None:
    return newest_of(one for focus, one in findings.items() if _owner(focus, cards, None) is card)
