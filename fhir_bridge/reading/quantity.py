"""Measured values in words: comparator, unit and reference range, without invented precision (FHIR-18)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fhir_bridge.reading.dates import read_date
from fhir_bridge.reading.said import Said
from fhir_bridge.reading.shape import absent, concept_text, obj, objects, text, texts, value_of, without_tag
from vocabulary.phrase import Phrase, phrase

NOT_RECORDED = phrase("not recorded")
YES = phrase("Yes")
NO = phrase("No")


@dataclass(frozen=True)
class Range:
    """A reference range: limits as numbers where given, `words` as printed."""

    low: float | None
    high: float | None
    words: str


def number(value: Any) -> float | None:
    """`value` as a number; None for anything else (booleans and text included)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if found == found and abs(found) != float("inf") else None


def number_text(value: Any) -> str:
    """A JSON number as people read it: 5.0 stays 5.0, 1e-3 becomes 0.001, and a computer's endless decimals are cut to
    four digits (the raw entry keeps them).
    """
    if isinstance(value, bool) or number(value) is None:
        return text(value)
    if isinstance(value, float) and len(repr(value).replace(".", "").lstrip("-0")) > 9 and 1e-3 < abs(value) < 1e6:
        return repr(float(f"{value:.4g}")) if abs(value) < 1e4 else f"{value:.0f}"
    if isinstance(value, float) and ("e" in repr(value)):
        return f"{value:.10f}".rstrip("0").rstrip(".") if 1e-10 < abs(value) < 1e15 else repr(value)
    return repr(value)


def quantity_text(quantity: Any) -> str:
    """A Quantity in print, e.g. `< 0.1 ng/mL`; empty when it has no value."""
    one = obj(quantity)
    figure = number_text(one.get("value"))
    if not figure:
        return ""
    unit = unit_text(one)
    comparator = text(one.get("comparator"))
    joined = f"{comparator} {figure}" if comparator in ("<", "<=", ">=", ">") else figure
    return f"{joined}{unit}" if unit == "%" else f"{joined} {unit}".strip()


def unit_text(quantity: Any) -> str:
    unit = text(obj(quantity).get("unit")) or text(obj(quantity).get("code"))
    if unit in ("1", "{score}", "{count}"):
        return ""
    return _IN_PRINT.get(unit) or _AS_CODED.sub(_printed, unit.strip("{}"))


_IN_PRINT = {
    "a": "yr",
    "Cel": "°C",
    "[degF]": "°F",
    "[lb_av]": "lb",
    "[in_i]": "in",
    "mL/min/{1.73_m2}": "mL/min/1.73 m²",
}
_AS_CODED = re.compile(r"10\*(\d+)|\bu(?=g\b|L\b|m\b|mol\b|\[IU\])|\[(IU|Hg)\]|(?<=\bm)([23])\b")
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def _printed(found: re.Match[str]) -> str:
    """A unit's code as laboratories print it (UCUM: 10*3/uL is × 10³/µL, mm[Hg] is mmHg)."""
    power, plain, area = found.groups()
    if power:
        return "× 10" + power.translate(_RAISED)
    return plain or (area.translate(_RAISED) if area else "µ")


def value_said(element: Any) -> Said:
    """The value[x] of an Observation or component for people; "not recorded" when the provider says it is absent."""
    kind, value = value_of(element)
    if kind == "Quantity" or kind in ("Age", "Duration", "Distance", "Money"):
        return quantity_text(value) or _none_said(element)
    if kind == "CodeableConcept":
        return without_tag(concept_text(value)) or _none_said(element)
    if kind == "Boolean":
        return YES if value is True else NO if value is False else ""
    if kind in ("DateTime", "Time", "Date", "Instant"):
        found = read_date(value)
        return found.text if found else text(value)
    if kind == "Range":
        return range_words(value)
    if kind == "Ratio":
        return f"{quantity_text(obj(value).get('numerator'))} : {quantity_text(obj(value).get('denominator'))}"
    if kind == "Period":
        return f"{text(obj(value).get('start'))} – {text(obj(value).get('end'))}"
    if isinstance(value, int | float):
        return number_text(value)
    return text(value) or _none_said(element)


def _none_said(element: Any) -> Phrase | str:
    one = obj(element)
    marked = any(absent(one, name[1:]) for name in one if name.startswith("_value"))
    inside = any(
        absent(value, "value") or any("data-absent" in text(e.get("url")) for e in objects(obj(value).get("extension")))
        for name, value in one.items()
        if name.startswith("value")
    )
    return NOT_RECORDED if one.get("dataAbsentReason") is not None or marked or inside else ""


def range_words(value: Any) -> str:
    low, high = quantity_text(obj(value).get("low")), quantity_text(obj(value).get("high"))
    if low and high:
        return f"{low} – {high}"
    return f"≥ {low}" if low else f"≤ {high}" if high else ""


def reference_range(observation: Any) -> Range | None:
    """The normal range that the laboratory gave, None without one."""
    for one in objects(obj(observation).get("referenceRange")):
        words = range_words(one) or text(one.get("text"))
        if words:
            low, high = number(obj(one.get("low")).get("value")), number(obj(one.get("high")).get("value"))
            return Range(low, high, words)
    return None


_FLAGS: dict[str, Phrase] = {
    "H": phrase("Above the usual range"),
    "HU": phrase("Far above the usual range"),
    "HH": phrase("Far above the usual range"),
    "L": phrase("Below the usual range"),
    "LU": phrase("Far below the usual range"),
    "LL": phrase("Far below the usual range"),
    "A": phrase("Outside the usual range"),
    "AA": phrase("Far outside the usual range"),
    "N": phrase("In the usual range"),
    "POS": phrase("Found (positive)"),
    "NEG": phrase("Not found (negative)"),
}
_HIGH, _LOW, _NORMAL = _FLAGS["H"], _FLAGS["L"], _FLAGS["N"]


def flag_of(observation: Any) -> Phrase | None:
    """Where a result stands, in words: what the laboratory said, else reckoned from its own range, else None."""
    one = obj(observation)
    for concept in objects(one.get("interpretation")):
        for coding in objects(concept.get("coding")):
            if found := _FLAGS.get(text(coding.get("code")).upper()):
                return found
    measured, limits = obj(one.get("valueQuantity")), reference_range(one)
    value = number(measured.get("value"))
    if limits is None or value is None or text(measured.get("comparator")):
        return None
    if limits.high is not None and value > limits.high:
        return _HIGH
    if limits.low is not None and value < limits.low:
        return _LOW
    return _NORMAL if limits.low is not None or limits.high is not None else None


def out_of_range(flag: Phrase | None) -> bool:
    """Whether a flag of `flag_of` says the value is outside its range."""
    return flag is not None and flag not in (_NORMAL, _FLAGS["POS"], _FLAGS["NEG"])


def notes_of(resource: Any) -> list[str]:
    """The free-text notes of an entry, as written."""
    found = [text(one.get("text")) for one in objects(obj(resource).get("note"))]
    return [one for one in found if one] + texts(obj(resource).get("comment"))
