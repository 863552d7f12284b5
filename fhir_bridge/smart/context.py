"""Whose record a launch is about, and in which role the person who signed in stands (SMART-45, SMART-62)."""

from __future__ import annotations

import re
from enum import StrEnum

from fhir_bridge.smart.errors import LaunchRefused

_FHIR_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_REFERENCE = re.compile(r"(Patient|Practitioner|PractitionerRole|RelatedPerson|Person)/([A-Za-z0-9.-]{1,64})")


class LaunchRole(StrEnum):
    """Who signed in, as seen from the record that was opened."""

    SELF = "self"
    PROXY = "proxy"
    CARE_TEAM = "care-team"


def patient_id(value: object) -> str | None:
    """The token response's `patient`; LaunchRefused when it is there and not an id."""
    if value is None:
        return None
    if not isinstance(value, str) or not _FHIR_ID.fullmatch(value):
        raise LaunchRefused("patient-form")
    return value


def role_of(fhir_user: str | None, *, fhir_base_url: str, patient: str | None) -> LaunchRole:
    """The role that `fhirUser` gives for the record of `patient`; LaunchRefused for every other case.

    An absolute reference must be below the provider's own FHIR base: the same id elsewhere is another person.
    """
    if not fhir_user:
        raise LaunchRefused("fhir-user-missing")
    reference = fhir_user.removeprefix(fhir_base_url.rstrip("/") + "/")
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise LaunchRefused("fhir-user-form")
    kind, identifier = match[1], match[2]
    if kind in ("Practitioner", "PractitionerRole"):
        return LaunchRole.CARE_TEAM
    if patient is None:
        raise LaunchRefused("no-patient")
    if kind == "Patient":
        if identifier != patient:
            raise LaunchRefused("fhir-user-other-patient")
        return LaunchRole.SELF
    return LaunchRole.PROXY
