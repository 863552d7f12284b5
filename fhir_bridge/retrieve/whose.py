"""Whose record a resource belongs to (FHIR-17): anything about another patient is not kept."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from fhir_bridge.retrieve.paging import within_base
from vocabulary.resource import Resource

_SUBJECT_FIELDS = ("subject", "patient", "beneficiary")


def is_about_another(resource: Resource, patient_id: str, base: str) -> bool:
    """Whether `resource` names a subject that is not `patient_id` on the server at `base`.

    A resource that names no subject, or names it only by identifier, is taken as the server's answer to a search for
    this patient. A Patient is compared by its own id; persons who merely treat (Practitioner) have no subject.
    """
    if resource.get("resourceType") == "Patient":
        return resource.get("id") != patient_id
    return any(_is_another(resource.get(name), patient_id, base) for name in _SUBJECT_FIELDS)


def _is_another(value: Any, patient_id: str, base: str) -> bool:
    if isinstance(value, list):
        return any(isinstance(item, list) or _is_another(item, patient_id, base) for item in value)
    if not isinstance(value, dict):
        return False
    reference = value.get("reference")
    if reference is None:
        return False
    if not isinstance(reference, str):
        return True
    if reference.startswith("Patient/") and reference[8:] == patient_id:
        return False  # as nearly every one is written
    return not _names(reference.strip(), patient_id, base)


def _names(reference: str, patient_id: str, base: str) -> bool:
    if reference.startswith("urn:uuid:"):
        return reference.removeprefix("urn:uuid:") == patient_id
    try:
        parts = urlsplit(reference)
    except ValueError:
        return False
    if (parts.scheme or parts.netloc) and not within_base(base, reference):
        return False
    segments = parts.path.rstrip("/").split("/")
    if "_history" in segments:
        segments = segments[: segments.index("_history")]
    return len(segments) >= 2 and segments[-2] == "Patient" and segments[-1] == patient_id
