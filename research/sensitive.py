"""Which sensitive classes a resource tells of: by security label, by code, and by words beneath them (CON-06). Pure.

The whole resource is searched, contained resources and extensions too: a class found anywhere counts.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consent.decision import SensitiveClass
from vocabulary.resource import Resource

_LABELS = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
_RESTRICTED = frozenset({"R", "V"})
# Sensitivity labels that say how rules apply rather than what the content is about.
_HARMLESS_LABELS = frozenset({"DEMO", "PDS", "PHY", "NOAUTH", "DELAU"})
_CODE_SYSTEMS = {
    "http://snomed.info/sct": "snomed",
    "http://loinc.org": "loinc",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "rxnorm",
}
_ICD10 = ("http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-10")
_GENETIC_TYPES = frozenset({"FamilyMemberHistory", "MolecularSequence"})
_NAMES = frozenset({"display", "text", "description", "title", "conclusion", "valueString"})


def _load() -> tuple[dict[tuple[str, str], frozenset[SensitiveClass]], dict[str, SensitiveClass], re.Pattern[str]]:
    document = tomllib.loads((Path(__file__).parent / "sensitive_codes.toml").read_text(encoding="utf-8"))
    codes: dict[tuple[str, str], frozenset[SensitiveClass]] = {}
    prefixes: dict[str, SensitiveClass] = {}
    words = []
    for one in SensitiveClass:
        table = document[one.value]
        for kind in ("labels", "snomed", "loinc", "rxnorm"):
            for code in table[kind]:
                codes[(kind, code)] = codes.get((kind, code), frozenset()) | {one}
        prefixes |= dict.fromkeys(table["icd10"], one)
        words.append(f"(?P<{one.name}>{'|'.join(_word(word) for word in table['words'])})")
    return codes, prefixes, re.compile(r"(?<![a-z])(?:" + "|".join(words) + ")", re.IGNORECASE)


def _word(word: str) -> str:
    """A short word only whole: hives are not HIV."""
    return re.escape(word) + (r"(?![a-z])" if len(word) <= 4 else "")


_CODES, _PREFIXES, _WORDS = _load()


@dataclass(frozen=True)
class Sensitivity:
    """`classes` found; `restricted`: labelled restricted (R, V), or by a sensitivity label of none of our classes."""

    classes: frozenset[SensitiveClass] = frozenset()
    restricted: bool = False

    def may_leave(self, switched_on: frozenset[SensitiveClass]) -> bool:
        """All classes found are switched on; what is restricted for a reason we do not know never leaves."""
        return self.classes <= switched_on and (not self.restricted or bool(self.classes))


NOT_SENSITIVE = Sensitivity()


def sensitivity_of(resource: Resource) -> Sensitivity:
    """What this resource tells of. Total: any JSON object gives an answer."""
    classes: set[SensitiveClass] = set()
    if resource.get("resourceType") in _GENETIC_TYPES:
        classes.add(SensitiveClass.GENETIC)
    for system, code in _codings(resource):
        classes |= _of_code(system, code)
    for name in _spoken(resource):
        classes |= told_by(name)
    return Sensitivity(frozenset(classes), _restricted(resource))


def told_by(words: str) -> frozenset[SensitiveClass]:
    """What words tell of, such as those a person wrote themselves."""
    return frozenset(SensitiveClass[match.lastgroup] for match in _WORDS.finditer(words) if match.lastgroup)


def _of_code(system: str, code: str) -> frozenset[SensitiveClass]:
    if system == _LABELS:
        return _CODES.get(("labels", code), frozenset())
    if system in _ICD10:
        bare = code.replace(".", "").upper()
        return frozenset(_PREFIXES[bare[:length]] for length in range(1, len(bare) + 1) if bare[:length] in _PREFIXES)
    return _CODES.get((_CODE_SYSTEMS.get(system, ""), code), frozenset())


def _restricted(resource: Resource) -> bool:
    meta = resource.get("meta")
    for system, code in _codings(meta.get("security") if isinstance(meta, dict) else None):
        if system == _CONFIDENTIALITY and code in _RESTRICTED:
            return True
        if system == _LABELS and ("labels", code) not in _CODES and code not in _HARMLESS_LABELS:
            return True
    return False


def _codings(node: Any) -> Iterator[tuple[str, str]]:
    """Every (system, code) anywhere inside."""
    stack = [node]
    while stack:
        each = stack.pop()
        if isinstance(each, dict):
            system, code = each.get("system"), each.get("code")
            if isinstance(system, str) and isinstance(code, str):
                yield system, code
            stack.extend(each.values())
        elif isinstance(each, list):
            stack.extend(each)


def _spoken(resource: Resource) -> Iterator[str]:
    """The words that name things: displays and short texts. A narrative repeats the codes and much else besides."""
    stack: list[Any] = [resource]
    while stack:
        each = stack.pop()
        if isinstance(each, dict):
            for key, value in each.items():
                if isinstance(value, str) and key in _NAMES:
                    yield value
                elif isinstance(value, (dict, list)):
                    stack.append(value)
        elif isinstance(each, list):
            stack.extend(each)


Key = tuple[str, str, str]


def spread(found: Mapping[Key, Sensitivity], references: Mapping[Key, Iterable[Key]]) -> dict[Key, Sensitivity]:
    """Sensitivity also of what refers to something sensitive, however far: a prescription for a hidden diagnosis.

    A key is (source, type, id). `references`: for each resource the keys it refers to. The person, visits, staff and
    places do not carry it on.
    """
    result = dict(found)
    changed = True
    while changed:
        changed = False
        for key, targets in references.items():
            own = result[key]
            classes, restricted = own.classes, own.restricted
            for target in targets:
                other = result.get(target)
                if other is not None and target[1] not in _NO_CARRIERS:
                    classes, restricted = classes | other.classes, restricted or other.restricted
            if (classes, restricted) != (own.classes, own.restricted):
                result[key] = Sensitivity(classes, restricted)
                changed = True
    return result


_NO_CARRIERS = frozenset({"Patient", "Encounter", "Practitioner", "PractitionerRole", "Organization", "Location"})
