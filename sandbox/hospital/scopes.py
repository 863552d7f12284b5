"""SMART v2 scopes as values: what was asked, what the person ticked, what a request may touch.

Source: SMART App Launch 2.2, scopes-and-launch-context. v1 `.read` is read as `.rs`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from sandbox.hospital.matching import matches_token

_RESOURCE_SCOPE = re.compile(r"^(patient|user)/([A-Z][A-Za-z]*|\*)\.(read|\*|(?=[crudsr])c?r?u?d?s?)(?:\?(.+))?$")
_PLAIN = {"openid", "fhirUser", "profile", "launch", "launch/patient", "launch/encounter", "offline_access",
          "online_access"}  # fmt: skip

GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "about-you": ("About you: name, contact, family, insurance", (
        "Patient", "RelatedPerson", "Coverage", "FamilyMemberHistory", "QuestionnaireResponse")),
    "conditions": ("Health problems, cancer included, and allergies", (
        "Condition", "AllergyIntolerance", "BodyStructure")),
    "results": ("Test results, vital signs and cancer stage", (
        "Observation", "DiagnosticReport", "Specimen", "ImagingStudy")),
    "medicines": ("Medicines and vaccines", (
        "MedicationRequest", "MedicationAdministration", "MedicationDispense", "Medication", "Immunization")),
    "treatments": ("Operations, radiation and visits", (
        "Procedure", "Encounter", "ServiceRequest", "Device")),
    "notes": ("Notes and documents", ("DocumentReference", "Binary")),
    "plans": ("Care plans, goals and care team", ("CarePlan", "Goal", "CareTeam")),
    "sources": ("Who wrote each entry, and where", (
        "Provenance", "Practitioner", "PractitionerRole", "Organization", "Location")),
}  # fmt: skip
OTHER = "everything-else"
CATEGORY_SYSTEM = "http://terminology.hl7.org/CodeSystem/observation-category"
OBSERVATION_CATEGORIES = {
    "laboratory": "Lab tests", "vital-signs": "Vital signs", "social-history": "Social history", "survey": "Surveys",
}  # fmt: skip
OTHER_LABEL = "Everything else in your chart"


@dataclass(frozen=True)
class ResourceScope:
    """One parsed resource scope: who, which type (`*` for all), read and search rights, and a search filter."""

    text: str
    type: str
    read: bool
    search: bool
    filters: tuple[tuple[str, str], ...]


def parse(scope: str) -> ResourceScope | None:
    """The resource scope in `scope`, or None when it is another kind of scope or not well formed."""
    found = _RESOURCE_SCOPE.match(scope)
    if not found:
        return None
    rights = {"read": "rs", "*": "cruds"}.get(found[3], found[3])
    return ResourceScope(scope, found[2], "r" in rights, "s" in rights, tuple(parse_qsl(found[4] or "")))


def supported(scope: str) -> str:
    """`scope` without what this server does not know; order kept."""
    return " ".join(s for s in scope.split() if s in _PLAIN or ((p := parse(s)) and (p.read or p.search)))


def group_of(resource_type: str) -> str:
    """The consent screen's group that holds this resource type."""
    return next((key for key, (_, types) in GROUPS.items() if resource_type in types), OTHER)


def groups_asked(scope: str) -> list[tuple[str, str]]:
    """(group id, label) of the groups that the requested scopes touch, in reading order."""
    asked = {p.type for s in scope.split() if (p := parse(s))}
    keys = set(GROUPS) | {OTHER} if "*" in asked else {group_of(t) for t in asked}
    labels = {key: label for key, (label, _) in GROUPS.items()} | {OTHER: OTHER_LABEL}
    return [(key, label) for key, label in labels.items() if key in keys]


def granted(scope: str, ticked: Iterable[str], *, offline: bool, only: Iterable[str] = ()) -> str:
    """The scopes that remain of `scope` when only the `ticked` groups are allowed.

    A wildcard stays whole only when every group is ticked; else it becomes one scope per type of the ticked groups.
    `only` names categories of Observation: then the scope for it becomes a granular one for each (SMART-32).
    """
    kept = _of_groups(scope, set(ticked), offline=offline, whole=not only)
    wanted = [each for each in OBSERVATION_CATEGORIES if each in set(only)]
    narrowed = [
        f"{one}?category={CATEGORY_SYSTEM}|{each}" if (p := parse(one)) and p.type == "Observation" else one
        for one in kept for each in (wanted or [""])
    ]  # fmt: skip
    return " ".join(dict.fromkeys(narrowed if wanted else kept))


def _of_groups(scope: str, chosen: set[str], *, offline: bool, whole: bool) -> list[str]:
    kept: list[str] = []
    for one in scope.split():
        parsed = parse(one)
        if parsed is None:
            if offline or one != "offline_access":
                kept.append(one)
        elif parsed.type != "*":
            if group_of(parsed.type) in chosen:
                kept.append(one)
        elif whole and chosen >= set(GROUPS) | {OTHER}:
            kept.append(one)
        else:
            kept += [one.replace("*", name, 1) for key in GROUPS if key in chosen for name in GROUPS[key][1]]
    return kept


@dataclass(frozen=True)
class Permission:
    """What a granted scope string lets a request do."""

    scopes: tuple[ResourceScope, ...]

    @classmethod
    def of(cls, scope: str) -> Permission:
        """The permission in a granted `scope` string."""
        return cls(tuple(p for s in scope.split() if (p := parse(s))))

    def may(self, resource_type: str, *, search: bool) -> bool:
        """Whether any granted scope allows reading (or searching) this type at all."""
        return any(s.type in (resource_type, "*") and (s.search if search else s.read) for s in self.scopes)

    def covers(self, resource: dict[str, Any]) -> bool:
        """Whether this very resource is within a granted scope, granular filters included (SMART-32)."""
        return any(
            s.type in (resource["resourceType"], "*") and all(matches_token(resource, n, v) for n, v in s.filters)
            for s in self.scopes
        )
