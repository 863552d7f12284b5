"""Who said it: the organization or person that an entry names as its source."""

from __future__ import annotations

from collections.abc import Callable

from fhir_bridge.reading.said import Said
from fhir_bridge.reading.shape import obj, objects, references, text
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
                return title_of(target).plain
    return ""
