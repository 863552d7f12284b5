"""What a FHIR server says it offers, from its CapabilityStatement (FHIR R4 http.html#capabilities).

A server that says nothing, or nothing readable, offers nothing beyond plain searches: asking more would only fail.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fhir_bridge.reading.shape import extensions, objects
from fhir_bridge.retrieve.asking import Asker
from fhir_bridge.retrieve.json_body import Parsed, parse
from vocabulary.resource import Resource


@dataclass(frozen=True)
class Offered:
    """`types` that can be searched or read, `revincluding` those that take `_revinclude=Provenance:target`,
    `operations` as `Type/name` (`Patient/everything`), or `name` alone for one of the whole system. `oauth_uris`: it
    names its sign-in in the old way, inside the statement. `parameters`: by which each type can be searched."""

    fhir_version: str = ""
    types: frozenset[str] = frozenset()
    revincluding: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()
    oauth_uris: bool = False
    parameters: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def changed(self, kind: str) -> bool:
        """Whether a type can be asked for what changed since a moment."""
        return "_lastUpdated" in self.parameters.get(kind, ())


NOTHING = Offered()


def read_offered(statement: Any) -> Offered:
    """What a CapabilityStatement says; never raises."""
    if not isinstance(statement, dict) or statement.get("resourceType") != "CapabilityStatement":
        return NOTHING
    rest = [one for one in objects(statement.get("rest")) if one.get("mode", "server") == "server"]
    rows = [row for one in rest for row in objects(one.get("resource")) if isinstance(row.get("type"), str)]
    operations = {name for one in rest for name in _names(one)}
    operations |= {f"{row['type']}/{name}" for row in rows for name in _names(row)}
    version = statement.get("fhirVersion")
    everywhere = frozenset(name for one in rest for name in _parameters(one))
    return Offered(
        fhir_version=version if isinstance(version, str) else "",
        types=frozenset(row["type"] for row in rows),
        revincluding=frozenset(row["type"] for row in rows if _takes_provenance(row)),
        operations=frozenset(operations),
        parameters={row["type"]: frozenset(_parameters(row)) | everywhere for row in rows if row.get("searchParam")},
        oauth_uris=any(extensions(one.get("security"), "oauth-uris") for one in rest),
    )


def ask_offered(asker: Asker, base: str) -> Offered:
    """Ask the server at `base`; NOTHING when it does not say."""
    answer = asker.ask_once(f"{base.rstrip('/')}/metadata")
    parsed = parse(answer.body) if answer.status == 200 else None
    return read_offered(parsed.value) if isinstance(parsed, Parsed) else NOTHING


def _takes_provenance(row: Resource) -> bool:
    listed = row.get("searchRevInclude")
    return isinstance(listed, list) and "Provenance:target" in listed


def _parameters(row: Resource) -> Iterator[str]:
    for one in objects(row.get("searchParam")):
        name = one.get("name")
        if isinstance(name, str):
            yield name


def _names(part: Resource) -> Iterator[str]:
    for one in objects(part.get("operation")):
        name = one.get("name")
        if isinstance(name, str):
            yield name.removeprefix("$")
