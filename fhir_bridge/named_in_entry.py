"""What an entry names that is kept as a keyed index beside it: whom a Provenance speaks of, what was measured."""

from __future__ import annotations

from fhir_bridge.reading.shape import LOINC, codings, concept_text, key_of, objects, text
from fhir_bridge.reading.source import writers_in
from vocabulary.resource import Resource


def targets_of(provenance: Resource) -> set[str]:
    """`Type/id` of what a Provenance speaks of (FHIR R4 Provenance.target)."""
    references = (text(one.get("reference")) for one in objects(provenance.get("target")))
    return {key for one in references if "/" in (key := key_of(one))}


def writers_of(provenance: Resource) -> set[str]:
    """`Type/id` of who wrote what a Provenance speaks of: found with it, in one query."""
    return {key for _, one in writers_in(provenance) if "/" in (key := key_of(one))}


def code_of(observation: Resource) -> str:
    """What was measured, as `system|code`: LOINC's where there is one, else the first; else the words."""
    return codes_of(observation)[0]


def codes_of(observation: Resource) -> list[str]:
    """Everything by which what was measured may have been kept, `code_of` first; at least one, empty for no words."""
    coded = [one for one in codings(observation.get("code")) if one.code]
    coded.sort(key=lambda one: one.system != LOINC)
    return [f"{one.system}|{one.code}" for one in coded] or [concept_text(observation.get("code")).casefold()]
