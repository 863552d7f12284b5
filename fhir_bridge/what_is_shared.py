"""What a person shares through a connection, and what not, in plain words (SMART-33, SMART-34)."""

from __future__ import annotations

from dataclasses import dataclass

from fhir_bridge.record_standing import TYPE_WORDS
from fhir_bridge.smart.scopes import GrantedScopes, Restriction, granted
from vocabulary.phrase import Phrase, phrase

CATEGORY_WORDS: dict[str, Phrase] = {
    "laboratory": phrase("Lab tests"),
    "vital-signs": phrase("Vital signs, such as weight and blood pressure"),
    "social-history": phrase("How you live, such as smoking"),
    "survey": phrase("Answers to question sheets"),
    "sdoh": phrase("Your home, food, money and rides"),
    "imaging": phrase("Findings of scans"),
    "procedure": phrase("Findings of procedures"),
    "exam": phrase("Findings of exams"),
    "therapy": phrase("Therapy"),
    "activity": phrase("Activity and steps"),
    "functional-status": phrase("What you can do in daily life"),
    "disability-status": phrase("Disability"),
    "cognitive-status": phrase("Memory and thinking"),
    "problem-list-item": phrase("The list of your health problems"),
    "health-concern": phrase("Health worries"),
    "encounter-diagnosis": phrase("What was found at visits"),
    "clinical-note": phrase("Notes of doctors and nurses"),
    "LAB": phrase("Lab reports"),
    "LP29684-5": phrase("Reports of scans"),
    "LP29708-2": phrase("Reports on the heart"),
    "LP7839-6": phrase("Pathology reports"),
}


@dataclass(frozen=True)
class Part:
    """One type of which only some was shared: `only` says which, empty when the hospital did not say it in a way we
    can put in words."""

    name: Phrase
    only: tuple[Phrase, ...]


@dataclass(frozen=True)
class Sharing:
    """What one grant covers of what was asked for. `later`: also while the person is not signed in."""

    whole: tuple[Phrase, ...]
    partly: tuple[Part, ...]
    not_shared: tuple[Phrase, ...]
    later: bool


def sharing(scope: str, asked: str) -> Sharing:
    """Compare the granted `scope` with the `asked` one; types that were never asked for are not missing."""
    given, wanted = granted(scope), granted(asked)
    types = [name for name in TYPE_WORDS if name != "Binary" and wanted.may_read(name)]
    missing, partly = given.not_shared(types), given.partly_shared(types)
    return Sharing(
        whole=tuple(TYPE_WORDS[name] for name in types if name not in missing and name not in partly),
        partly=tuple(Part(TYPE_WORDS[name], _only(given, name)) for name in partly),
        not_shared=tuple(TYPE_WORDS[name] for name in missing),
        later="offline_access" in given.other,
    )


def _only(given: GrantedScopes, name: str) -> tuple[Phrase, ...]:
    codes = [_category(each) for each in given.search_filters(name)]
    if any(code not in CATEGORY_WORDS for code in codes):
        return ()
    return tuple(CATEGORY_WORDS[code] for code in codes)


def _category(restriction: Restriction) -> str:
    """The code of a granular scope's one category, empty for any other restriction."""
    if len(restriction) != 1 or restriction[0][0] != "category":
        return ""
    return restriction[0][1].rpartition("|")[2]
