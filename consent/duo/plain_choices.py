"""What a person says in plain words, as DUO terms, and which efforts follow from it (DUO-04). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from consent.duo.match import Terms
from consent.duo.terms import CANCER, Code
from vocabulary.phrase import Phrase, phrase


class Scope(StrEnum):
    """How wide a yes is: one of these."""

    ANY_HEALTH = "any-health-research"
    ANY_CANCER = "any-cancer-research"
    MY_CANCER = "only-my-kind-of-cancer"


class Limit(StrEnum):
    """What a yes leaves out: any number of these."""

    NO_COMPANIES = "no-companies"
    NO_ANCESTRY = "no-ancestry"
    ETHICS_REVIEW = "only-with-ethics-review"
    MY_COUNTRY = "only-in-my-country"


SAYS: Mapping[Scope | Limit, Phrase] = {
    Scope.ANY_HEALTH: phrase("Any health research"),
    Scope.ANY_CANCER: phrase("Only cancer research"),
    Scope.MY_CANCER: phrase("Only research on my kind of cancer"),
    Limit.NO_COMPANIES: phrase("No companies"),
    Limit.NO_ANCESTRY: phrase("No research on where my family comes from"),
    Limit.ETHICS_REVIEW: phrase("Only studies that an ethics board approved"),
    Limit.MY_COUNTRY: phrase("Only studies in my country"),
}

TERM_OF: Mapping[Limit, Code] = {
    Limit.NO_COMPANIES: Code.NPUNCU,
    Limit.NO_ANCESTRY: Code.NPOA,
    Limit.ETHICS_REVIEW: Code.IRB,
    Limit.MY_COUNTRY: Code.GS,
}
# The record's words for where a cancer began (`fhir_bridge.reading.cancers`), as the ontology has them.
KINDS_OF_CANCER: Mapping[str, str] = {
    "breast": "MONDO:0007254",
    "lung": "MONDO:0008903",
    "colon": "MONDO:0005575",
    "rectum": "MONDO:0005575",
    "prostate": "MONDO:0008315",
    "melanoma": "MONDO:0005105",
    "ovary": "MONDO:0008170",
    "pancreas": "MONDO:0009831",
    "bladder": "MONDO:0001187",
    "leukemia": "MONDO:0005059",
    "aml": "MONDO:0018874",
    "cll": "MONDO:0004948",
    "all": "MONDO:0005059",
    "cml": "MONDO:0005059",
    "lymphoma": "MONDO:0005062",
    "hodgkin": "MONDO:0005062",
    "myeloma": "MONDO:0009693",
}


@dataclass(frozen=True)
class PlainChoice:
    """What a person chose; `my_cancers` are the MONDO codes of their own diagnoses, `country` where they live."""

    scope: Scope
    limits: frozenset[Limit] = frozenset()
    my_cancers: frozenset[str] = frozenset()
    country: str | None = None


def terms_of(choice: PlainChoice) -> Terms:
    """The choice in DUO's terms. Health research never means ancestry alone, which HMB leaves out by itself."""
    return Terms(
        permission=Code.HMB if choice.scope is Scope.ANY_HEALTH else Code.DS,
        modifiers=frozenset(TERM_OF[limit] for limit in choice.limits),
        diseases={
            Scope.ANY_HEALTH: frozenset[str](),
            Scope.ANY_CANCER: frozenset({CANCER}),
            Scope.MY_CANCER: choice.my_cancers,
        }[choice.scope],
        countries=frozenset({choice.country}) if choice.country else frozenset(),
    )
