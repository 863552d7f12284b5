"""Entries of several hospitals as one patient's: which Patient stands for the person, and references made whole.

A Bundle that must name exactly one patient cannot be as received where two hospitals each sent one: then the entries
of the others name the chosen Patient. Everything else in an entry stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from fhir_bridge.export.copy_facts import CopyFacts, Say
from fhir_bridge.reading.shape import key, key_of, obj, objects, text
from fhir_bridge.record_copy import Copied
from vocabulary.resource import Resource

SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_ABOUT = ("subject", "patient", "beneficiary")


@dataclass(frozen=True)
class Placed:
    """A resource with the URL under which a Bundle holds it."""

    full_url: str
    provider_id: str
    resource: Resource

    @property
    def entry(self) -> dict[str, Any]:
        return {"fullUrl": self.full_url, "resource": self.resource}

    @property
    def name(self) -> tuple[str, str]:
        return self.provider_id, key(self.resource)


def placed(one: Copied) -> Placed:
    """Under its provider's base, or a URN of its own when that is not known (bundle.html#bundle-unique)."""
    resource = one.resource
    if one.base and text(resource.get("id")):
        return Placed(f"{one.base.rstrip('/')}/{key(resource)}", one.provider_id, resource)
    urn = uuid5(NAMESPACE_URL, f"{one.provider_id}/{key(resource)}")
    return Placed(f"urn:uuid:{urn}", one.provider_id, resource)


def the_patient(found: Iterable[Placed], made_at: str) -> Placed:
    """The Patient that says most, with what mCODE and IPS ask of one filled in as unknown (never guessed)."""
    patients = [one for one in found if one.resource.get("resourceType") == "Patient"]
    best = max(patients, key=lambda one: len(one.resource), default=None)
    if best is None:
        urn = f"urn:uuid:{uuid5(NAMESPACE_URL, made_at)}"
        best = Placed(urn, "", {"resourceType": "Patient", "id": urn[9:]})
    resource = dict(best.resource)
    if not objects(resource.get("identifier")):
        resource["identifier"] = [{"system": "urn:ietf:rfc:3986", "value": best.full_url}]
    if not objects(resource.get("name")):
        resource["name"] = [{"extension": [{"url": ABSENT, "valueCode": "unknown"}]}]
    if not text(resource.get("gender")):
        resource["gender"] = "unknown"
    if not text(resource.get("birthDate")):
        resource["_birthDate"] = {"extension": [{"url": ABSENT, "valueCode": "unknown"}]}
    return Placed(best.full_url, best.provider_id, resource)


def about(one: Placed, patient: Placed) -> Placed:
    """The same entry, naming the chosen patient where it named one; untouched where that is the chosen one."""
    changed = {
        name: {**obj(one.resource[name]), "reference": patient.full_url}
        for name in _ABOUT
        if key_of(text(obj(one.resource.get(name)).get("reference"))).startswith(("Patient/", "urn:"))
        and not _names_already(one, text(obj(one.resource[name]).get("reference")), patient)
    }
    return Placed(one.full_url, one.provider_id, {**one.resource, **changed}) if changed else one


def _names_already(one: Placed, reference: str, patient: Placed) -> bool:
    """Whether a reference of an entry leads to the patient as both stand in the Bundle (bundle.html#references)."""
    base, _, name = patient.full_url.rpartition("/Patient/")
    return bool(base) and one.full_url.startswith(f"{base}/") and reference in (f"Patient/{name}", patient.full_url)


def with_profile(resource: Resource, profile: str) -> Resource:
    """The resource, naming `profile` among those it follows."""
    meta = obj(resource.get("meta"))
    named = [each for each in meta.get("profile", []) if isinstance(each, str)]
    return {**resource, "meta": {**meta, "profile": list(dict.fromkeys([*named, profile]))}}


def subsetted(facts: CopyFacts, say: Say) -> dict[str, Any]:
    """The mark of a Bundle that is not the whole record, with why (FHIR R4 resource.html#simple-tags)."""
    reasons = facts.incomplete(say)
    return {"tag": [SUBSETTED | {"display": " · ".join(reasons)}]} if reasons else {}
