"""Makes an allowed resource coarse: each element by the rule of its type. Pure.

What cannot be made safe is left out, never guessed at; a resource that cannot be read at all is left out whole.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from msgspec import Struct

from research.deidentify.codes import LOINC, listed, unit_may_leave
from research.deidentify.codes import may_leave as code_may_leave
from research.deidentify.elements import EXTENSIONS, Age, Coded, Coding, Concept, Quantity, Ref, Rule
from research.deidentify.places import OLDEST, year_may_leave, year_of

UCUM = "http://unitsofmeasure.org"
LARGEST = 10_000_000
_AGE_CODES = frozenset({"30525-0", "21611-9", "21612-7", "29553-5", "35267-4", "76334-2"})
# Observations whose value is an identifier or a place: date of birth, ZIP code, address, SSN, Medicare, Medicaid.
_IDENTIFYING = frozenset({"21112-8", "45401-7", "56799-0", "56797-4", "45396-9", "45397-7", "45400-9"})
_YEARS_IN = {"a": 1.0, "mo": 1 / 12, "wk": 7 / 365.25, "d": 1 / 365.25}


@dataclass(frozen=True)
class Release:
    """What the rules need to know of one delivery of one person.

    `ids`: (type, id) as received to the delivery's own random id, of the same source. `over_89`: the person is, or
    may be. `this_year`: of the build, in UTC.
    """

    this_year: int
    over_89: bool
    ids: Mapping[tuple[str, str], str] = field(default_factory=dict)


def local_key(reference: str) -> tuple[str, str] | None:
    """(type, id) of a reference of whatever form; None when it names no resource (contained, a bare URN)."""
    match = re.search(r"(?:^|/)([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[^/]*)?$", reference)
    return (match[1], match[2]) if match else None


Rules = Callable[[Any, Release], Any]


def clean(value: Struct, release: Release) -> Any:
    """The coarse form of a struct of `elements` or `allowed`; None when nothing of it may leave."""
    special = _SPECIAL.get(type(value))
    if special is not None:
        return special(value, release)
    made: dict[str, Any] = {}
    for name, rule in _rules(type(value)):
        own = getattr(value, name)
        if own is not None:
            coarse = rule(own, release)
            if coarse is not None:
                made[name] = coarse
    return type(value)(**made) if made else None


@cache
def _rules(kind: type[Struct]) -> tuple[tuple[str, Rules], ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple((name, _rule(hints[name])) for name in kind.__struct_fields__)


def _rule(hint: Any) -> Rules:
    """The rule of an annotation. An annotation without one is a mistake in the allow-list and stops the start."""
    if get_origin(hint) in (Union, UnionType):
        return _rule(next(each for each in get_args(hint) if each is not type(None)))
    if get_origin(hint) is list:
        each = _rule(get_args(hint)[0])
        return lambda value, release: _listed([each(one, release) for one in value])
    if get_origin(hint) is Annotated:
        return _PRIMITIVE[get_args(hint)[1]]
    if hint is bool:
        return lambda value, _: value
    if hint is str:  # `id`: given by the release, never taken over
        return lambda _value, _release: None
    if isinstance(hint, type) and issubclass(hint, Struct):
        return clean
    raise TypeError(f"the allow-list has no rule for {hint!r}")


def _listed(values: list[Any]) -> list[Any] | None:
    kept = [value for value in values if value is not None]
    return kept or None


def _year(value: str, release: Release) -> str | None:
    year = year_of(value)
    return f"{year:04d}" if year is not None and year_may_leave(year, release.this_year) else None


def _word(value: str, _release: Release) -> str | None:
    """A code of one of FHIR's own required value sets: a few small letters, or a comparator."""
    return value if value in REQUIRED_CODES else None


def _count(value: int, _release: Release) -> int | None:
    return value if abs(value) < LARGEST else None


def _coding(value: Coding, _release: Release) -> Coding | None:
    if value.system is None or value.code is None or not code_may_leave(value.system, value.code):
        return None
    return Coding(value.system, value.code)


def _concept(value: Concept, release: Release) -> Concept | None:
    codings = _listed([_coding(one, release) for one in value.coding or []])
    return Concept(codings) if codings else None


def _quantity(value: Quantity, release: Release) -> Quantity | None:
    number = value.value
    if number is None or not math.isfinite(number) or abs(number) >= LARGEST:
        return None
    ucum = value.code is not None and value.system == UCUM
    unit = value.code if ucum else value.unit
    if unit is None:
        return Quantity(number) if value.code is None else None
    if not unit_may_leave(unit, ucum=ucum):
        return None
    years = number * _YEARS_IN.get(unit, 0.0)
    if unit in _YEARS_IN and (years > OLDEST or (release.over_89 and years > 1)):
        return None
    comparator = value.comparator if value.comparator in ("<", "<=", ">=", ">") else None
    if ucum:
        return Quantity(number, comparator, system=UCUM, code=unit)
    return Quantity(number, comparator, unit=unit)


def _age(value: Age, release: Release) -> Age | None:
    unit = value.code or value.unit or ""
    if value.value is None or release.over_89 or unit not in _YEARS_IN or value.value < 0:
        return None
    years = value.value * _YEARS_IN[unit]
    if years > OLDEST:
        return None
    return Age(math.floor(years), system=UCUM, code="a")


def _ref(value: Ref, release: Release) -> Ref | None:
    key = local_key(value.reference or "")
    own = release.ids.get(key) if key else None
    return Ref(f"{key[0]}/{own}") if key and own else None


def _coded(value: Coded, release: Release) -> Coded | None:
    if value.url not in EXTENSIONS:
        return None
    concept = _concept(value.value_codeable_concept, release) if value.value_codeable_concept else None
    coding = _coding(value.value_coding, release) if value.value_coding else None
    return Coded(value.url, concept, coding) if concept or coding else None


def names_an_identity(codes: Concept | None) -> bool:
    """Whether an observation's value is an identifier or a place by what its code asks for."""
    return any(one.system == LOINC and one.code in _IDENTIFYING for one in (codes.coding if codes else None) or [])


def asks_for_age(codes: Concept | None) -> bool:
    """Whether an observation's value is the person's age."""
    return any(one.system == LOINC and one.code in _AGE_CODES for one in (codes.coding if codes else None) or [])


_SPECIAL: dict[type[Struct], Rules] = {
    Coding: _coding, Concept: _concept, Quantity: _quantity, Age: _age, Ref: _ref, Coded: _coded,
}  # fmt: skip
_PRIMITIVE: dict[Rule, Rules] = {Rule.YEAR: _year, Rule.WORD: _word, Rule.COUNT: _count}
REQUIRED_CODES = listed(
    "active amended appended available cancelled completed corrected draft final finished in-progress inactive "
    "not-done on-hold partial planned preliminary preparation registered revoked stopped unknown unavailable "
    "unsatisfactory arrived triaged onleave intended not-taken declined ended order original-order plan proposal "
    "directive reflex-order filler-order instance-order option allergy intolerance food medication environment "
    "biologic low high unable-to-assess mild moderate severe < <= >= >"
)
