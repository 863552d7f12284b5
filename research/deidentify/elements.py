"""The pieces that resources are made of, with only what may leave; everything else is not even read.

`msgspec` decodes straight into these, so an element that is not named here never reaches the code that writes.
A marker in `Annotated` says by which rule a plain string or number is made coarse (`clean.py`).
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from msgspec import Struct


class Rule(Enum):
    """How a primitive leaves."""

    YEAR = "year"
    WORD = "word"
    COUNT = "count"


Year = Annotated[str, Rule.YEAR]
Word = Annotated[str, Rule.WORD]
Count = Annotated[int, Rule.COUNT]


class Element(Struct, rename="camel", omit_defaults=True):
    """A complex element; fields that are None are not written."""


class Coding(Element):
    system: str | None = None
    code: str | None = None


class Concept(Element):
    """A CodeableConcept: its codings, never its text."""

    coding: list[Coding] | None = None


class Quantity(Element):
    value: int | float | None = None
    comparator: Word | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None


class Age(Quantity):
    """An age; over 89 it is not written, nor any age of a person who is over 89."""


class Ratio(Element):
    numerator: Quantity | None = None
    denominator: Quantity | None = None


class Range(Element):
    low: Quantity | None = None
    high: Quantity | None = None


class Period(Element):
    start: Year | None = None
    end: Year | None = None


class Ref(Element):
    """A reference, written only when what it names leaves in the same delivery, under its new id."""

    reference: str | None = None


class Coded(Element):
    """An extension of the allow-list: its address and its coded value."""

    url: str = ""
    value_codeable_concept: Concept | None = None
    value_coding: Coding | None = None


EXTENSIONS = frozenset(
    "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-" + name
    for name in (
        "histology-morphology-behavior", "laterality-qualifier", "body-location-qualifier", "procedure-intent",
        "treatment-termination-reason", "condition-related",
    )
)  # fmt: skip
