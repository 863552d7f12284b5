"""Tumor markers over time, and what was found in the tumor and the genes (MC-06, MC-10)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from fhir_bridge.reading.dates import date_of
from fhir_bridge.reading.markers import (
    ABSENT,
    BLOOD_MARKERS,
    DNA_CHANGE,
    GENE,
    GENOME_CHANGE,
    MEANING,
    NEGATIVE,
    PROTEIN_CHANGE,
    RECEPTORS,
    SOURCE,
    VARIANT,
    blood_marker_of,
    is_genomic_variant,
    is_other_marker,
    receptor_of,
    result_words,
)
from fhir_bridge.reading.quantity import (
    NOT_RECORDED,
    flag_of,
    number,
    out_of_range,
    reference_range,
    unit_text,
    value_said,
)
from fhir_bridge.reading.said import Said
from fhir_bridge.reading.shape import clinical_text, codes, concept_text, has_profile, key, obj, objects, text, value_of
from fhir_bridge.reading.summary_model import Finding, Marker, MarkerTrend, Measured
from vocabulary.phrase import phrase
from vocabulary.resource import Resource

MOST_VALUES = 60
MOST_HELD = 4 * MOST_VALUES

INHERITED = phrase("You were born with it, so it can run in the family (germline).")
IN_THE_TUMOR = phrase("It is in the tumor only, so you did not inherit it (somatic).")
NOT_SAID = phrase("The report does not say if you were born with it or if it is in the tumor only.")
_SOURCES = {"LA6683-2": INHERITED, "LA6684-0": IN_THE_TUMOR}
_CHANGES = (PROTEIN_CHANGE, DNA_CHANGE, VARIANT, GENOME_CHANGE)
_MEANINGS = {
    "LA6668-3": phrase("known to cause illness (pathogenic)"),
    "LA26332-9": phrase("likely to cause illness (likely pathogenic)"),
    "LA26333-7": phrase("nobody knows yet what it means (uncertain significance)"),
    "LA26334-5": phrase("likely harmless (likely benign)"),
    "LA6675-8": phrase("harmless (benign)"),
}


class Trends:
    """One trend for each blood marker, from observations added one at a time; what no trend can show is let go."""

    def __init__(self) -> None:
        self._found: dict[str, list[Resource]] = defaultdict(list)

    def add(self, observation: Resource) -> None:
        marker = blood_marker_of(observation)
        if marker is None or not value_said(observation):
            return
        kept = self._found[marker]
        kept.append(observation)
        if len(kept) > MOST_HELD:
            self._found[marker] = _telling(kept)

    def told(self) -> tuple[MarkerTrend, ...]:
        """The most recently measured first."""
        trends = [trend_of(marker, BLOOD_MARKERS[marker], ones) for marker, ones in self._found.items()]
        return tuple(sorted(trends, key=lambda one: _newest(one.latest), reverse=True))


def _telling(observations: Sequence[Resource]) -> list[Resource]:
    """The newest values, and the newest that has a range: all that a trend is made of."""
    ordered = sorted(observations, key=_when, reverse=True)
    ranged = next((one for one in ordered if reference_range(one) is not None), None)
    newest = ordered[:MOST_VALUES]
    return newest if ranged is None or any(one is ranged for one in newest) else [*newest, ranged]


def _newest(measured: Measured) -> str:
    return measured.date.sort.isoformat() if measured.date is not None else ""


def trend_of(marker: str, name: Said, observations: Sequence[Resource]) -> MarkerTrend:
    """The values of one test over time, at least one; each has a value."""
    ordered = sorted(observations, key=_when, reverse=True)
    unit = unit_text(ordered[0].get("valueQuantity"))
    limits = next((found for found in map(reference_range, ordered) if found is not None), None)
    return MarkerTrend(
        marker=marker,
        name=name,
        unit=unit,
        usual=limits.words if limits is not None else "",
        low=limits.low if limits is not None else None,
        high=limits.high if limits is not None else None,
        values=tuple(_measured(one, unit) for one in ordered[:MOST_VALUES]),
    )


def _measured(observation: Resource, unit: str) -> Measured:
    quantity = obj(observation.get("valueQuantity"))
    flag = flag_of(observation)
    same_unit = unit_text(quantity) == unit and not text(quantity.get("comparator"))
    return Measured(
        date=date_of(observation),
        value_text=str(value_said(observation)),
        number=number(quantity.get("value")) if same_unit else None,
        flag=flag if out_of_range(flag) else None,
        key=key(observation),
    )


def _when(observation: Resource) -> str:
    found = date_of(observation)
    return found.sort.isoformat() if found is not None else ""


def tumor_marker(observation: Resource) -> tuple[str, Marker] | None:
    """A test on the tumor as (what is tested, result), None when the observation is none or is a blood marker."""
    if blood_marker_of(observation) is not None:
        return None
    receptor = receptor_of(observation)
    clinical = clinical_text(observation.get("code"))
    if receptor is None and not is_other_marker(observation):
        return None
    kind, value = value_of(observation)
    result: Said = result_words(value) if kind == "CodeableConcept" else value_said(observation)
    if not result or result == NOT_RECORDED:
        result = result_words(observation.get("interpretation"))
    name: Said = RECEPTORS[receptor] if receptor is not None else clinical
    flag = flag_of(observation)
    marker = Marker(
        name, result, clinical, date_of(observation), key(observation), flag if out_of_range(flag) else None
    )
    return (receptor or clinical, marker) if result else None


def gene_change(observation: Resource) -> Marker | None:
    """A genomic variant: the gene, the change as written, and whether it is inherited."""
    if not is_genomic_variant(observation):
        return None
    parts = {code: part for part in objects(observation.get("component")) for code in codes(part.get("code"))}
    gene = concept_text(obj(parts.get(GENE)).get("valueCodeableConcept"))
    change = next((said for said in (_change(parts.get(code)) for code in _CHANGES) if said), "")
    source = codes(obj(parts.get(SOURCE)).get("valueCodeableConcept"))
    note = next((_SOURCES[code] for code in source if code in _SOURCES), NOT_SAID)
    value = observation.get("valueCodeableConcept")
    result: Said = result_words(value) if value is not None else ""
    if result not in (ABSENT, NEGATIVE):
        result = _meaning(parts.get(MEANING)) or result
    if not gene and not change:
        return None
    return Marker(gene or change, result, change, date_of(observation), key(observation), note)


def genes_studied(observation: Resource) -> Finding | None:
    """The genes that a test looked at, whatever it found there; None when the observation names none."""
    by_code = "53041-0" in codes(observation.get("code"))
    if not by_code and not has_profile(observation, "mcode-genomic-region-studied"):
        return None
    parts = [part for part in objects(observation.get("component")) if GENE in codes(part.get("code"))]
    names = filter(None, (concept_text(part.get("valueCodeableConcept")) for part in parts))
    words = ", ".join(dict.fromkeys(names)) or (str(value_said(observation)) if by_code else "")
    return Finding(words, "", date_of(observation), key(observation)) if words else None


def _meaning(part: Resource | None) -> Said:
    """What the laboratory says that a change does (LOINC 53037-8)."""
    value = obj(part).get("valueCodeableConcept")
    known = (_MEANINGS[code] for code in sorted(codes(value)) if code in _MEANINGS)
    return next(known, None) or concept_text(value)


def _change(part: Resource | None) -> str:
    said = value_said(part)
    return said if isinstance(said, str) else ""
