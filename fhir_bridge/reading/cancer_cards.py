"""From conditions to cancers: one card for each primary, however many entries say it (MC-02, MC-03)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from fhir_bridge.reading.cancer_words import site_in
from fhir_bridge.reading.cancers import Diagnosis, Nature, diagnosis_of, had_before, in_doubt, plain_name
from fhir_bridge.reading.dates import FhirDate, Precision, read_date
from fhir_bridge.reading.histology import histology_in_name, histology_said
from fhir_bridge.reading.said import Said
from fhir_bridge.reading.shape import (
    clinical_text,
    codes,
    codings,
    concept_text,
    extensions,
    has_profile,
    key,
    key_of,
    obj,
    objects,
    references,
    searchable,
    text,
    without_tag,
)
from fhir_bridge.reading.sides import SIDE_NAMES, side_of
from fhir_bridge.reading.standing import is_fact, is_mistake, is_refuted, is_uncertain, status_words
from fhir_bridge.reading.summary_model import Cancer, Finding, Spread
from vocabulary.phrase import phrase
from vocabulary.resource import Resource

NOT_SURE = phrase("not confirmed")
RULED_OUT = phrase("was looked into and ruled out")
BEFORE = phrase("told as something of the past")


@dataclass
class Card:
    """A cancer while it is put together: the conditions that say it, and what they agree on."""

    diagnosis: Diagnosis
    side: str | None
    conditions: list[Resource] = field(default_factory=list)
    histology: tuple[Said, str] = ("", "")

    @property
    def keys(self) -> set[str]:
        return {key(one) for one in self.conditions}


@dataclass(frozen=True)
class SpreadFound:
    spread: Spread
    related: tuple[str, ...]


def cards_from(conditions: Iterable[Resource]) -> tuple[list[Card], list[SpreadFound], list[Finding]]:
    """Cancers, places of spread, and what is told apart from them, from all conditions of a record."""
    cards: list[Card] = []
    spread: list[SpreadFound] = []
    apart: list[Finding] = []
    for condition in conditions:
        found = diagnosis(condition)
        if found is None or not is_fact(condition):
            finding = _told_apart(condition, found)
            apart += [finding] if finding is not None else []
        elif found.nature is Nature.SECONDARY:
            spread.append(_spread(condition, found))
        else:
            _add(cards, condition, found)
    return _joined(cards), spread, apart


def diagnosis(condition: Resource) -> Diagnosis | None:
    """What a Condition says about cancer: by profile, code, body site and words; None when nothing."""
    code = condition.get("code")
    found = diagnosis_of(code)
    if has_profile(condition, "mcode-secondary-cancer-condition"):
        found = Diagnosis(Nature.SECONDARY, found.site if found is not None else "unknown")
    elif has_profile(condition, "mcode-primary-cancer-condition"):
        words = searchable(code)
        says_spread = "metasta" in words or "secondary" in words
        if found is None or (found.nature is Nature.SECONDARY and not says_spread):
            found = Diagnosis(Nature.PRIMARY, found.site if found is not None else site_in(words) or "unknown")
    if found is not None and found.site == "unknown":
        by_place = _site_of_body(condition)
        found = replace(found, site=by_place or "unknown")
    return found


def _site_of_body(condition: Resource) -> str | None:
    for site in objects(condition.get("bodySite")):
        for coding in codings(site):
            if coding.code[:1] == "C" and coding.code[1:3].isdigit():
                found = diagnosis_of({"coding": [{"system": "icd-10", "code": coding.code}]})
                if found is not None:
                    return found.site
        by_words = site_in(searchable(site))
        if by_words is not None:
            return by_words
    return None


def _add(cards: list[Card], condition: Resource, found: Diagnosis) -> None:
    cards.append(Card(found, side_of(condition), [condition], _histology(condition)))


def _joined(cards: list[Card]) -> list[Card]:
    """Entries of the same cancer become one card; the most telling entry first."""
    joined: list[Card] = []
    for card in sorted(cards, key=_telling, reverse=True):
        same = next((one for one in joined if _same(one, card)), None)
        if same is None:
            joined.append(card)
        else:
            same.conditions += card.conditions
            same.side = same.side or card.side
            same.histology = same.histology if same.histology[1] else card.histology
    return sorted(joined, key=lambda one: (_first_found(one.conditions) is None, _sort_key(one)), reverse=False)


def _telling(card: Card) -> tuple[bool, bool, bool, bool]:
    primary = card.diagnosis.nature is Nature.PRIMARY
    specific = "neoplasm of prostate" not in searchable(card.conditions[0].get("code"))
    return (primary and specific, primary, card.side is not None, bool(card.histology[1]))


def _same(one: Card, other: Card) -> bool:
    ours, theirs = one.diagnosis, other.diagnosis
    if ours.site != theirs.site or (one.side and other.side and one.side != other.side):
        return False
    if ours.site in ("melanoma", "skin", "unknown") and ours.detail and theirs.detail and ours.detail != theirs.detail:
        return False
    both_coded = one.histology[1] and other.histology[1]
    if both_coded and _coded_histology(one) and _coded_histology(other):
        return one.histology[1].casefold() == other.histology[1].casefold()
    return True


def _coded_histology(card: Card) -> bool:
    return any(extensions(one, "histology-morphology-behavior") for one in card.conditions)


def _histology(condition: Resource) -> tuple[Said, str]:
    for one in extensions(condition, "histology-morphology-behavior"):
        return histology_said(one.get("valueCodeableConcept"))
    return histology_in_name(condition.get("code"))


def _sort_key(card: Card) -> str:
    found = _first_found(card.conditions)
    return found.sort.isoformat() if found is not None else ""


def found_date(condition: Resource) -> FhirDate | None:
    """When it was found: asserted, else onset, else written down."""
    asserted = extensions(condition, "/condition-assertedDate")
    onset = obj(condition.get("onsetPeriod")).get("start")
    for value in (
        condition.get("onsetDateTime"),
        *(one.get("valueDateTime") for one in asserted),
        onset,
        condition.get("recordedDate"),
    ):
        found = read_date(value)
        if found is not None:
            return found
    return None


def _first_found(conditions: list[Resource]) -> FhirDate | None:
    dates = [found for found in map(found_date, conditions) if found is not None]
    known = [one for one in dates if one.precision is not Precision.UNKNOWN]
    return min(known, key=lambda one: one.sort) if known else (dates[0] if dates else None)


def cancer_from(card: Card) -> Cancer:
    """The card as a value, without what observations add."""
    first = card.conditions[0]
    name = plain_name(card.diagnosis)
    clinical = clinical_text(first.get("code"))
    unnamed = card.diagnosis.site == "unknown" and card.diagnosis.nature is Nature.PRIMARY
    title: Said = without_tag(concept_text(first.get("code"))) if unnamed else name
    return Cancer(
        keys=tuple(key(one) for one in card.conditions),
        site=card.diagnosis.site,
        title=title or name,
        side=SIDE_NAMES[card.side] if card.side is not None else None,
        clinical="" if clinical == title else clinical,
        found=_first_found(card.conditions),
        histology=card.histology[0],
        histology_clinical=card.histology[1],
        status=_status(card.conditions),
        in_situ=card.diagnosis.nature is Nature.IN_SITU,
    )


def _status(conditions: list[Resource]) -> Said:
    """The newest word on it: that of the entry recorded last."""
    told = [one for one in conditions if codes(one.get("clinicalStatus"))]
    newest = max(told, key=lambda one: text(one.get("recordedDate")), default=None)
    return status_words(newest) if newest is not None else ""


def _spread(condition: Resource, found: Diagnosis) -> SpreadFound:
    related = [
        ref for one in extensions(condition, "condition-related") for ref in references(one.get("valueReference"))
    ]
    related += [ref for one in extensions(condition, "mcode-related-primary-cancer-condition")
                for ref in references(one.get("valueReference"))]  # fmt: skip
    spread = Spread(plain_name(found), clinical_text(condition.get("code")), found_date(condition), key(condition))
    return SpreadFound(spread, tuple(key_of(ref) for ref in related))


def _told_apart(condition: Resource, found: Diagnosis | None) -> Finding | None:
    """A cancer that is no fact of today: in doubt, ruled out, or of the past; None for anything else."""
    if is_mistake(condition):
        return None
    code, said = condition.get("code"), None
    if is_refuted(condition):
        said = RULED_OUT if found is not None or in_doubt(code) else None
    elif is_uncertain(condition) or in_doubt(code):
        said = NOT_SURE if found is not None or in_doubt(code) else None
    elif found is None and had_before(code) and is_fact(condition):
        said = BEFORE
    name = without_tag(clinical_text(code))
    return Finding(said, name, found_date(condition), key(condition)) if said is not None else None
