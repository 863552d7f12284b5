"""Left or right: from a body site's code, its qualifier, an ICD-10-CM ending, or words."""

from __future__ import annotations

import re
from typing import Any

from fhir_bridge.reading.shape import codings, extensions, objects, searchable
from vocabulary.phrase import Phrase, phrase
from vocabulary.resource import Resource

SIDE_NAMES: dict[str, Phrase] = {
    "left": phrase("left side"),
    "right": phrase("right side"),
    "both": phrase("both sides"),
}

_QUALIFIERS = {"7771000": "left", "24028007": "right", "51440002": "both"}
_WORDS = re.compile(r"\b(left|right|bilateral|l|r|izquierd[ao]|derech[ao])\b")
_FROM_WORD = {"left": "left", "l": "left", "right": "right", "r": "right", "bilateral": "both"}
_BREAST = {"1": "right", "2": "left"}
_LUNG = {"1": "right", "2": "left"}


def side_of(condition: Resource) -> str | None:
    """`left`, `right`, `both` or None for a condition or procedure."""
    sites = objects(condition.get("bodySite"))
    for site in sites:
        for qualifier in extensions(site, "laterality-qualifier"):
            for coding in codings(qualifier.get("valueCodeableConcept")):
                if coding.code in _QUALIFIERS:
                    return _QUALIFIERS[coding.code]
    found = next((side for side in map(_from_icd, codings(condition.get("code"))) if side), None)
    return found or _from_words(condition.get("code")) or _from_words(sites)


def _from_icd(coding: Any) -> str | None:
    code = coding.code.upper().replace(".", "")
    if "icd-10" not in coding.system:
        return None
    if len(code) == 6 and code.startswith(("C50", "D05")):
        return _BREAST.get(code[5])
    if len(code) == 5 and code.startswith(("C34", "C56", "C62", "C64", "C65", "C66", "C40", "D05", "C69")):
        return _LUNG.get(code[4])
    return None


def _from_words(concept: Any) -> str | None:
    found = {_side_word(match) for match in _WORDS.findall(searchable(concept))}
    found.discard("")
    if "both" in found or {"left", "right"} <= found:
        return "both"
    return next(iter(found), None)


def _side_word(word: str) -> str:
    if word.startswith("izq"):
        return "left"
    return "right" if word.startswith("der") else _FROM_WORD.get(word, "")
