"""Reading one entry through fhirclient's models: strict first, then lenient, else the raw JSON (LIB-04).

The models check structure only; what an entry means is read by our own code from the raw JSON. What they give is the
list of elements that are well formed, in FHIR's order, and the names of those that are not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fhirclient.models import fhirabstractbase, fhirelementfactory

from vocabulary.resource import Resource

# Lenient reading logs what it could not read, and that can hold a diagnosis: it goes nowhere.
fhirabstractbase.logger.disabled = True

_RESOURCE_TYPE = re.compile(r"[A-Z][A-Za-z]{2,60}")
_MOST_PROBLEMS = 20


class ReadAs(StrEnum):
    """How an entry could be read: by the standard, with faults, or only as raw JSON."""

    STRICT = "strict"
    LENIENT = "lenient"
    RAW = "raw"


@dataclass(frozen=True)
class ModelReading:
    """`elements` are the JSON names of the elements that could be read, in order; `problems` name the others.

    A problem is an element's path and the kind of fault, never a value.
    """

    how: ReadAs
    elements: tuple[str, ...]
    problems: tuple[str, ...]


def read_through_model(resource: Resource) -> ModelReading:
    """Read `resource` through its model. Never raises."""
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or not _RESOURCE_TYPE.fullmatch(kind):
        return ModelReading(ReadAs.RAW, tuple(map(str, resource)), ("resourceType: unknown",))
    try:
        model = fhirelementfactory.FHIRElementFactory.instantiate(kind, resource)
    except fhirabstractbase.FHIRValidationError as error:
        return _lenient(kind, resource, tuple(_problems(error))[:_MOST_PROBLEMS])
    except (RecursionError, *_WHAT_MODELS_RAISE):
        return ModelReading(ReadAs.RAW, tuple(resource), ("entry: unreadable",))
    if getattr(model, "resource_type", None) != kind:
        return ModelReading(ReadAs.RAW, tuple(resource), ("resourceType: unknown",))
    return ModelReading(ReadAs.STRICT, _elements(model, resource), ())


_WHAT_MODELS_RAISE = (AttributeError, ImportError, KeyError, OverflowError, TypeError, ValueError)


def _lenient(kind: str, resource: Resource, problems: tuple[str, ...]) -> ModelReading:
    try:
        empty = fhirelementfactory.FHIRElementFactory.instantiate(kind, None)
        model = type(empty)(resource, strict=False)
    except (RecursionError, fhirabstractbase.FHIRValidationError, *_WHAT_MODELS_RAISE):
        return ModelReading(ReadAs.RAW, tuple(resource), problems)
    return ModelReading(ReadAs.LENIENT, _elements(model, resource), problems)


def _elements(model: Any, resource: Resource) -> tuple[str, ...]:
    """The JSON names that the model holds a value for; the rest of the entry is shown from the raw JSON."""
    return tuple(
        json_name
        for name, json_name, *_rest in model.elementProperties()
        if getattr(model, name, None) is not None and json_name in resource
    )


def _problems(error: Any, path: str = "") -> list[str]:
    found: list[str] = []
    here = ".".join(part for part in (path, str(getattr(error, "path", "") or "")) if part)
    for one in getattr(error, "errors", None) or []:
        if isinstance(one, fhirabstractbase.FHIRValidationError):
            found += _problems(one, here)
        else:
            found.append(f"{here or 'entry'}: {_FAULTS.get(type(one).__name__, 'wrong')}{_named(one)}")
    return found or [f"{here or 'entry'}: wrong"]


_FAULTS = {"KeyError": "missing", "AttributeError": "not part of FHIR", "TypeError": "wrong kind of value"}


def _named(error: Exception) -> str:
    """The element's name out of the model's own message; element names are not personal, values are left out."""
    match = re.search(r'(?:property|entry|Superfluous entry) \\?"([A-Za-z_]{1,60})\\?"', str(error))
    return f" ({match.group(1)})" if match else ""
