"""Pure FHIR search: does one resource match one search parameter? Source: FHIR R4 search.html."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

Resource = dict[str, Any]

_PATIENT_PATHS = ("subject", "patient", "beneficiary", "for", "individual")
# The moment against the span (start, end) that the wanted date stands for.
_PREFIXES: dict[str, Callable[[datetime, tuple[datetime, datetime]], bool]] = {
    "ge": lambda moment, span: moment >= span[0],
    "gt": lambda moment, span: moment >= span[1],
    "le": lambda moment, span: moment < span[1],
    "lt": lambda moment, span: moment < span[0],
    "eq": lambda moment, span: span[0] <= moment < span[1],
}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def codings(value: Any) -> Iterator[tuple[str, str]]:
    """(system, code) pairs of a code, Coding, CodeableConcept or a list of them."""
    for one in _listed(value):
        if isinstance(one, str):
            yield "", one
        elif isinstance(one, dict) and "coding" in one:
            yield from codings(one["coding"])
        elif isinstance(one, dict) and "code" in one:
            yield str(one.get("system", "")), str(one["code"])


def matches_token(resource: Resource, element: str, wanted: str) -> bool:
    """Token search on one element; commas mean or; `system|code`, `|code` and `code` forms."""
    held = list(codings(resource.get(element)))
    for one in wanted.split(","):
        system, bar, code = one.rpartition("|")
        for held_system, held_code in held:
            if held_code == code and (not bar or system == held_system):
                return True
            if bar and not code and system == held_system:
                return True
    return False


def patient_of(resource: Resource) -> str | None:
    """The logical id of the patient the resource is about, or None when it names none."""
    if resource.get("resourceType") == "Patient":
        return str(resource.get("id"))
    for path in _PATIENT_PATHS:
        for one in _listed(resource.get(path)):
            reference = one.get("reference") if isinstance(one, dict) else None
            if isinstance(reference, str) and "Patient/" in reference:
                return reference.rsplit("Patient/", 1)[1].split("/")[0]
    return None


def _interval(text: str) -> tuple[datetime, datetime]:
    """The time span that a date of any precision stands for. Raises ValueError on nonsense."""
    if len(text) == 4:
        start = datetime(int(text), 1, 1, tzinfo=UTC)
        return start, start.replace(year=start.year + 1)
    if len(text) == 7:
        start = datetime.strptime(text + "-01", "%Y-%m-%d").replace(tzinfo=UTC)
        return start, (start + timedelta(days=32)).replace(day=1)
    start = datetime.fromisoformat(text.replace("Z", "+00:00").replace(" ", "+"))
    start = start if start.tzinfo else start.replace(tzinfo=UTC)
    return start, start + (timedelta(days=1) if len(text) == 10 else timedelta(seconds=1))


def matches_last_updated(resource: Resource, wanted: str) -> bool:
    """`_lastUpdated` with a ge, gt, le, lt or eq prefix. Raises ValueError on a date nobody can read."""
    prefix, rest = (wanted[:2], wanted[2:]) if wanted[:2] in _PREFIXES else ("eq", wanted)
    moment = datetime.fromisoformat(resource["meta"]["lastUpdated"].replace("Z", "+00:00"))
    return _PREFIXES[prefix](moment, _interval(rest))


def matches(resource: Resource, name: str, wanted: str) -> bool:
    """Whether the resource matches `name=wanted`; parameters this server does not know match everything."""
    base = name.split(":")[0]
    if base == "_id":
        return resource["id"] in wanted.split(",")
    if base == "_lastUpdated":
        return matches_last_updated(resource, wanted)
    if base in ("category", "code", "intent", "status"):
        return matches_token(resource, base, wanted)
    if base == "clinical-status":
        return matches_token(resource, "clinicalStatus", wanted)
    if base == "target":
        return not set(wanted.split(",")).isdisjoint(references(resource.get("target")))
    return True


_HOLDS_MORE = (dict, list)  # most of a record is words and numbers, which are not worth a call each


def references(value: Any) -> Iterator[str]:
    """Every literal reference inside a resource or a part of one."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        inside: Iterable[Any] = value.values()
    else:
        inside = value if isinstance(value, list) else ()
    for inner in inside:
        if isinstance(inner, _HOLDS_MORE):
            yield from references(inner)


def included_by(resource: Resource, parameter: str) -> Iterator[str]:
    """References held under the element that an `_include` parameter names (`medication` -> medicationReference)."""
    for element, value in resource.items():
        if element.lower().startswith(parameter.replace("-", "").lower()):
            yield from references(value)
