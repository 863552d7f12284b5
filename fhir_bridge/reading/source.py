"""Who said it: the organization or person that an entry names as its source."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fhir_bridge.reading.said import Said
from fhir_bridge.reading.shape import codes, obj, objects, references, text
from fhir_bridge.reading.titles import title_of
from vocabulary.resource import Resource

_FIELDS = (
    "custodian", "performer", "author", "serviceProvider", "managingOrganization", "requester", "recorder", "asserter",
)  # fmt: skip


def source_of(resource: Resource, find: Callable[[str], Resource | None] = lambda _reference: None) -> Said:
    """The first organization or person named as source, empty when nobody is; `find` resolves references."""
    for name in _FIELDS:
        for one in objects(resource.get(name)):
            who = obj(one.get("actor")) or one
            if display := text(who.get("display")):
                return display
            target = next((found for found in map(find, references(who)) if found is not None), None)
            if target is not None:
                return _name_of(target)
    return ""


_WRITERS = frozenset({"author", "transmitter"})
WRITER_TYPES = ("Organization", "Practitioner", "PractitionerRole", "RelatedPerson", "Device")


def writers_in(provenance: Resource) -> list[tuple[str, str]]:
    """(display, reference) of who wrote or sent what a Provenance speaks of (FHIR-08): the organization an agent acted
    for, else the agent; authors first. Never raises."""
    found: list[tuple[str, str]] = []
    agents = [one for one in objects(provenance.get("agent")) if codes(one.get("type")) & _WRITERS]
    for agent in sorted(agents, key=lambda one: "author" not in codes(one.get("type"))):
        for who in (agent.get("onBehalfOf"), agent.get("who")):
            named = next(((text(one.get("display")), text(one.get("reference"))) for one in objects(who)), ("", ""))
            if any(named):
                found.append(named)
                break
    return found


def written_by(provenances: Iterable[Resource], find: Callable[[str], Resource | None]) -> tuple[Said, ...]:
    """The organizations or people who wrote or sent an entry, each once; `find` resolves references."""
    names: list[Said] = []
    for display, reference in (one for each in provenances for one in writers_in(each)):
        target = find(reference) if reference else None
        name = display or (_name_of(target) if target is not None else "")
        if name and name not in names:
            names.append(name)
    return tuple(names)


def _name_of(target: Resource) -> Said:
    """An organization by its name, not by what it is one of."""
    return text(target.get("name")) or title_of(target).plain
