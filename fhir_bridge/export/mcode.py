"""The cancer part of a record as an mCODE patient bundle (mCODE STU4, StructureDefinition/mcode-patient-bundle; MC-12).

What belongs to it is what the cancer story was read from, what its sender marked as mCODE, and what these refer to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from fhir_bridge.export.copy_facts import CopyFacts, Say
from fhir_bridge.export.one_patient import Placed, about, placed, subsetted, the_patient, with_profile
from fhir_bridge.reading.shape import key_of, profile_names, references
from fhir_bridge.reading.summary import summarise
from fhir_bridge.record_copy import Copied
from vocabulary.resource import Resource

PROFILES = "http://hl7.org/fhir/us/mcode/StructureDefinition"
READ = frozenset(
    {
        "Patient", "Condition", "Observation", "Procedure", "MedicationRequest", "MedicationAdministration",
        "MedicationStatement", "MedicationDispense", "Medication", "Specimen", "BodyStructure", "DiagnosticReport",
        "FamilyMemberHistory",
    }
)  # fmt: skip
_REFERRED = ("specimen", "medicationReference", "bodySite", "hasMember", "result", "focus", "reasonReference")


def mcode_bundle(entries: Iterable[Copied], facts: CopyFacts, say: Say) -> Resource:
    """The Bundle: a collection with exactly one CancerPatient first."""
    held = [placed(one) for one in entries if one.type in READ]
    patient = the_patient(held, facts.made_at.isoformat())
    told = with_profile(patient.resource, f"{PROFILES}/mcode-cancer-patient")
    others = [one for one in held if one.resource.get("resourceType") != "Patient"]
    chosen = _chosen(others)
    inside = [about(one, patient).entry for one in others if one.name in chosen]
    seed = f"{facts.made_at.isoformat()}/{patient.full_url}/mcode"
    return {
        "resourceType": "Bundle",
        "id": str(uuid5(NAMESPACE_URL, seed)),
        "meta": {"profile": [f"{PROFILES}/mcode-patient-bundle"], **subsetted(facts, say)},
        "type": "collection",
        "timestamp": facts.made_at.isoformat(timespec="seconds"),
        "entry": [{"fullUrl": patient.full_url, "resource": told}, *inside],
    }


def _chosen(held: list[Placed]) -> set[tuple[str, str]]:
    """(provider, `Type/id`) of what belongs: by the story of each provider's entries, by profile, and by reference."""
    by_name = {one.name: one for one in held}
    chosen: set[tuple[str, str]] = set()
    for provider in {one.provider_id for one in held}:
        own = [one.resource for one in held if one.provider_id == provider]
        chosen |= {(provider, found) for found in _keys(summarise(own).to_json())}
    chosen |= {one.name for one in held if any(name.startswith("mcode-") for name in profile_names(one.resource))}
    chosen &= by_name.keys()
    for _round in range(3):
        named = {
            (provider, key_of(reference))
            for provider, found in chosen
            for field in _REFERRED
            for reference in references(by_name[provider, found].resource.get(field))
        }
        chosen |= named & by_name.keys()
    return chosen


def _keys(value: Any) -> Iterator[str]:
    """Every `key` and `keys` of a summary as JSON."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "key" and isinstance(inner, str):
                yield inner
            elif name == "keys" and isinstance(inner, list):
                yield from (one for one in inner if isinstance(one, str))
            else:
                yield from _keys(inner)
    elif isinstance(value, list):
        for one in value:
            yield from _keys(one)
