"""Stages: TNM and the others, before and after surgery, as doctors write them (MC-04)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fhir_bridge.reading.dates import date_of
from fhir_bridge.reading.quantity import NOT_RECORDED, value_said
from fhir_bridge.reading.shape import (
    clinical_text,
    codes,
    key,
    key_of,
    objects,
    profile_names,
    references,
    searchable,
    text,
    value_of,
)
from fhir_bridge.reading.summary_model import Stage
from vocabulary.phrase import Phrase, phrase
from vocabulary.resource import Resource

BEFORE = phrase("before surgery, from exams and scans")
AFTER = phrase("after surgery, from what was removed")

_CLINICAL, _PATHOLOGIC = "clinical", "pathologic"
_GROUPS = {
    "399390009": None, "399537006": _CLINICAL, "399588009": _PATHOLOGIC, "21908-9": _CLINICAL, "21902-2": _PATHOLOGIC,
    "21914-7": None, "C177555": _CLINICAL, "C177556": _PATHOLOGIC, "C132248": None, "C90530": None, "C90529": None,
    "C180901": None, "385349001": _CLINICAL, "C16899": None,
}  # fmt: skip
_PARTS = {
    "78873005": ("T", None), "399504009": ("T", _CLINICAL), "384625004": ("T", _PATHOLOGIC), "277206009": ("N", None),
    "399534004": ("N", _CLINICAL), "371494008": ("N", _PATHOLOGIC), "277208005": ("M", None),
    "399387003": ("M", _CLINICAL), "371497001": ("M", _PATHOLOGIC), "21905-5": ("T", _CLINICAL),
    "21906-3": ("N", _CLINICAL), "21907-1": ("M", _CLINICAL), "21899-0": ("T", _PATHOLOGIC),
    "21900-6": ("N", _PATHOLOGIC), "21901-4": ("M", _PATHOLOGIC), "21911-3": ("T", None), "21912-1": ("N", None),
    "21913-9": ("M", None),
}  # fmt: skip
_SYSTEMS: dict[str, str] = {
    "385361009": "FIGO", "385363007": "FIGO", "385365000": "FIGO", "385367008": "FIGO", "385375002": "FIGO",
    "385369006": "FIGO", "385373009": "FIGO", "C186618": "FIGO", "C186617": "FIGO", "C157232": "FIGO/TNM",
    "C141207": "Rai", "C141212": "Binet", "C139007": "ISS", "C141392": "R-ISS", "C139006": "Durie-Salmon",
    "C141147": "Lugano", "C141138": "Ann Arbor", "C177558": "Ann Arbor", "C177559": "Ann Arbor",
    "385388004": "Lymphoma",
    "385377005": "Gleason", "106243009": "Breslow", "103419001": "Clark", "385357003": "Dukes", "103420007": "Dukes",
    "C133427": "INRGSS", "409720004": "INSS", "405931009": "Wilms", "405916000": "IRS", "C115134": "BCLC",
    "C198190": "PRETEXT", "1342413004": "Retinoblastoma", "385356007": "TNM", "35266-6": "Gleason",
}  # fmt: skip
_PROFILES = frozenset({
    "mcode-tnm-stage-group", "mcode-cancer-stage", "mcode-lymphoma-stage", "mcode-cll-binet-stage",
    "mcode-cll-rai-stage", "mcode-gynecologic-tumor-figo-stage", "mcode-melanoma-breslow-depth-stage",
    "mcode-melanoma-clark-level", "mcode-multiple-myeloma-iss-stage", "mcode-prostate-gleason-grade-group",
})  # fmt: skip
STAGE_CODES = frozenset({*_GROUPS, *_PARTS, *_SYSTEMS})
"""Every code by which an observation may be read as a stage or as a part of one."""
Part = tuple[str, str | None, str]
_AJCC_VALUES = {"1222806003": "IIIC", "1222769001": "IIB"}
_SYSTEM_WORDS = ("figo", "rai", "binet", "r-iss", "iss", "lugano", "ann arbor", "gleason", "breslow", "clark", "dukes")
_GROUP_VALUE = re.compile(r"\bstage[s:]?\s*(0|IV[A-E]?\d?|I{1,3}[A-E]?\d?|[1-4][A-Ea-e]?\d?)\b", re.IGNORECASE)
_BARE_VALUE = re.compile(r"(0|IV[A-E]?\d?|I{1,3}[A-E]?\d?|[1-4][A-E]?)", re.IGNORECASE)
_PART_VALUE = re.compile(r"\b([cpy]{0,2})([TNM])(is|X|[0-4][a-d]?)(\([a-z+]+\))?(?![a-z0-9])")
_ROMAN = {"1": "I", "2": "II", "3": "III", "4": "IV"}


@dataclass(frozen=True)
class FoundStage:
    """A stage and what it is about: the `Type/id` of its focus, empty when it does not say."""

    stage: Stage
    focus: tuple[str, ...]


@dataclass(frozen=True)
class DatedPart:
    """A T, N or M by itself: its letter, basis, value as written, and date as text."""

    letter: str
    basis: str | None
    value: str
    date: str


def stage_of(observation: Resource, parts: Mapping[str, Part], written: Sequence[DatedPart] = ()) -> FoundStage | None:
    """Read a stage observation, None when it is none. `parts` has the T, N and M that it names by `Type/id`, else
    `written` has its day's; whether it is one depends on neither."""
    found = codes(observation.get("code"))
    group = next((code for code in _GROUPS if code in found), None)
    system = next((name for code, name in _SYSTEMS.items() if code in found), None)
    by_profile = bool(profile_names(observation) & _PROFILES)
    if group is None and system is None and not by_profile:
        return None
    basis = _GROUPS[group] if group is not None else _basis_in(searchable(observation.get("code")))
    name = system or ("TNM" if group is not None else _system_in(searchable(observation.get("code"))))
    kind, value = value_of(observation)
    said = value_said(observation)
    words = str(said)
    if not words or said == NOT_RECORDED:
        return None
    clinical = clinical_text(value) if kind == "CodeableConcept" else words
    stage = Stage(
        value=_short(words, codes(value) if kind == "CodeableConcept" else set()),
        system=name,
        basis=_BASIS.get(basis or ""),
        date=date_of(observation),
        parts=_parts(observation, words, parts) or _parts_of_day(observation, basis, written),
        clinical=clinical,
        key=key(observation),
    )
    return FoundStage(stage, tuple(key_of(one) for one in references(observation.get("focus"))))


_BASIS: dict[str, Phrase] = {_CLINICAL: BEFORE, _PATHOLOGIC: AFTER}


def part_of(observation: Resource) -> Part | None:
    """A T, N or M observation as (letter, clinical or pathologic, value as written); None when it is none."""
    found = codes(observation.get("code"))
    code = next((one for one in _PARTS if one in found), None)
    if code is None:
        return None
    words = str(value_said(observation))
    match = _PART_VALUE.search(words)
    letter, basis = _PARTS[code]
    value = f"{match.group(2)}{match.group(3)}{match.group(4) or ''}" if match else words if len(words) <= 4 else ""
    return (letter, basis, value) if value else None


def dated_part(observation: Resource, part: Part) -> DatedPart | None:
    """What `part_of` read, with its date; None when it has none."""
    when = date_of(observation)
    return DatedPart(*part, when.text) if when is not None else None


def _parts_of_day(observation: Resource, basis: str | None, written: Sequence[DatedPart]) -> tuple[str, ...]:
    when = date_of(observation)
    if when is None or basis is None:
        return ()
    found = {one.letter: one.value for one in written if one.basis == basis and one.date == when.text}
    return tuple(found[letter] for letter in "TNM" if letter in found)


def stages_in_condition(condition: Resource, known: set[str]) -> list[Stage]:
    """Stages told by the condition itself; those whose assessment is among `known` observations are told there."""
    stages = []
    for one in objects(condition.get("stage")):
        if any(key_of(ref) in known for ref in references(one.get("assessment"))):
            continue
        summary = one.get("summary")
        words = clinical_text(summary)
        if words:
            system = _system_in(f"{searchable(one.get('type'))} {searchable(summary)}")
            basis = _BASIS.get(_basis_in(searchable(one.get("type"))) or "")
            value = _short(words, codes(summary))
            stages.append(Stage(value, system, basis, None, _written_parts(words), words, key(condition)))
    named = re.search(r"tnm stage ([0-4])", searchable(condition.get("code")))
    if named and not stages:
        value = _ROMAN.get(named.group(1), named.group(1))
        stages.append(Stage(value, "TNM", None, None, (), clinical_text(condition.get("code")), key(condition)))
    return stages


def _short(words: str, found: set[str]) -> str:
    code = next((value for one, value in _AJCC_VALUES.items() if one in found), None)
    if code is not None:
        return code
    match = _GROUP_VALUE.search(words) or _BARE_VALUE.fullmatch(words.strip())
    if match is None:
        return words
    value = match.group(1).upper()
    return _ROMAN.get(value[0], value[0]) + value[1:] if value[0] in _ROMAN else value


def _parts(observation: Resource, words: str, parts: Mapping[str, Part]) -> tuple[str, ...]:
    found = [parts.get(key_of(ref)) for ref in references(observation.get("hasMember"))]
    ordered = sorted((one for one in found if one is not None), key=lambda one: "TNM".index(one[0]))
    return tuple(one[2] for one in ordered) or _written_parts(words)


def _written_parts(words: str) -> tuple[str, ...]:
    return tuple(f"{match.group(2)}{match.group(3)}{match.group(4) or ''}" for match in _PART_VALUE.finditer(words))


def _basis_in(words: str) -> str | None:
    if "patholog" in words:
        return _PATHOLOGIC
    return _CLINICAL if "clinical" in words and "clinical group" not in words else None


def _system_in(words: str) -> str:
    if "american joint" in words or "ajcc" in words or "tnm" in words:
        return "TNM"
    found = next((name for name in _SYSTEM_WORDS if re.search(rf"\b{name}\b", words)), "")
    return {"figo": "FIGO", "iss": "ISS", "r-iss": "R-ISS"}.get(found, text(found).title())
