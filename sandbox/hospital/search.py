"""Pure FHIR search over one chart: parameters in, matches and includes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.hospital.matching import included_by, matches, references
from sandbox.hospital.records import Chart
from sandbox.hospital.scopes import Permission

Resource = dict[str, Any]
Parameters = Sequence[tuple[str, str]]


class BadSearch(Exception):
    """The search cannot be answered; the text says why."""


@dataclass(frozen=True)
class Found:
    """All matches of a search, in chart order."""

    matches: list[Resource]
    includes: tuple[str, ...]
    reverse_includes: bool


def run(chart: Chart, resource_type: str, parameters: Parameters, permission: Permission) -> Found:
    """The matches the permission covers. Raises BadSearch for a date nobody can read."""
    found = [r for r in chart.of_type(resource_type) if permission.covers(r)]
    try:
        for name, value in parameters:
            found = [r for r in found if matches(r, name, value)]
    except ValueError as error:
        raise BadSearch("A date in the search cannot be read.") from error
    includes = tuple(value for name, value in parameters if name == "_include")
    reverse = any(name == "_revinclude" and value == "Provenance:target" for name, value in parameters)
    return Found(found, includes, reverse)


def page_entries(
    base: str, chart: Chart, page: Iterable[Resource], found: Found, permission: Permission
) -> list[dict[str, Any]]:
    """Bundle entries of one page: its matches, then what `_include` and `_revinclude` bring for them."""
    shown = list(page)
    extra: dict[str, Resource] = {}
    for wanted in found.includes:
        parameter = wanted.split(":")[1] if ":" in wanted else ""
        for resource in shown:
            if wanted.split(":")[0] != resource["resourceType"]:
                continue
            targets = references(resource) if parameter == "*" else included_by(resource, parameter)
            for reference in targets:
                target = chart.read(reference)
                if target and permission.may(target["resourceType"], search=False) and permission.covers(target):
                    extra[reference] = target
    if found.reverse_includes and permission.may("Provenance", search=True):
        keys = {f"{r['resourceType']}/{r['id']}" for r in shown}
        for one in chart.of_type("Provenance"):
            if not keys.isdisjoint(references(one.get("target"))):
                extra[f"Provenance/{one['id']}"] = one
    return [_entry(base, r, "match") for r in shown] + [_entry(base, r, "include") for r in extra.values()]


def _entry(base: str, resource: Resource, mode: str) -> dict[str, Any]:
    url = f"{base}/{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": url, "resource": resource, "search": {"mode": mode}}
