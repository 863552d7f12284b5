"""SMART scopes: what we ask for, what was granted, and what was not shared (SMART-22, SMART-30 to SMART-36)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl

_RESOURCE_SCOPE = re.compile(
    r"(patient|user|system)/([A-Z][A-Za-z]{1,63}|\*)\.([a-z]{1,5}|\*)(?:\?([\x21\x23-\x5b\x5d-\x7e]+))?"
)
_ORDERED = "cruds"
_VERSION_1 = {"read": "rs", "write": "cud", "*": "cruds"}
_LAUNCH_CONTEXT = ("launch", "launch/patient", "launch/encounter")
CLINICAL_TYPES = (
    "Patient", "AllergyIntolerance", "CarePlan", "CareTeam", "Condition", "Coverage", "Device", "DiagnosticReport",
    "DocumentReference", "Encounter", "Goal", "Immunization", "MedicationRequest", "MedicationDispense", "Observation",
    "Procedure", "Provenance", "QuestionnaireResponse", "RelatedPerson", "ServiceRequest", "Specimen",
    "MedicationAdministration", "BodyStructure", "ImagingStudy", "FamilyMemberHistory",
    "Medication", "Location", "Organization", "Practitioner", "PractitionerRole", "Binary",
)  # fmt: skip
"""What is asked for by name where nothing else is configured: FHIR-01, FHIR-02 and attached files (SMART-35)."""
CARE_TEAM_SCOPES = ("openid", "fhirUser", "user/Practitioner.rs", "patient/Patient.rs")

PANEL_SCOPES = ("openid", "fhirUser", "user/Practitioner.rs", "user/Patient.rs", "user/CareTeam.rs")
"""A member of staff who signs in without a chart: who they are, their patients, and on whose care team they are."""

Restriction = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ResourceScope:
    """One clinical scope. `restriction` holds the search parameters of a granular scope, empty for none."""

    context: str
    type: str
    actions: frozenset[str]
    restriction: Restriction = ()

    def covers(self, resource_type: str) -> bool:
        return self.type in ("*", resource_type)


def read_scope(text: str) -> ResourceScope | None:
    """The clinical scope that `text` is, in version 2 or version 1 form; None for anything else (`.sr` included)."""
    match = _RESOURCE_SCOPE.fullmatch(text)
    if match is None or (match[3] in _VERSION_1 and match[4]):
        return None
    letters = _VERSION_1.get(match[3], match[3])
    if [each for each in _ORDERED if each in letters] != list(letters):
        return None
    restriction = tuple(parse_qsl(match[4], keep_blank_values=True)) if match[4] else ()
    if match[4] and not restriction:
        return None
    return ResourceScope(match[1], match[2], frozenset(letters), restriction)


@dataclass(frozen=True)
class GrantedScopes:
    """What the token response says we may do. Only this counts, never what was asked for (SMART-33)."""

    clinical: tuple[ResourceScope, ...]
    other: frozenset[str]
    contexts: tuple[str, ...] = ("patient", "user")

    def may_read(self, resource_type: str) -> bool:
        """May one resource of this type be read by id (at least some of them)?"""
        return any("r" in scope.actions for scope in self._for(resource_type))

    def may_search(self, resource_type: str, category: str | None = None) -> bool:
        """May this type be searched: all of it, or within `category` (`system|code`)?"""
        filters = self.search_filters(resource_type)
        if () in filters:
            return True
        return category is not None and any((("category", category),) == each for each in filters)

    def search_filters(self, resource_type: str) -> tuple[Restriction, ...]:
        """The searches that were granted: `()` when none, `((),)` for the whole type, else one restriction each."""
        granted = tuple(dict.fromkeys(each.restriction for each in self._for(resource_type) if "s" in each.actions))
        return ((),) if () in granted else granted

    def has_patient_scopes(self) -> bool:
        return any(scope.context == "patient" for scope in self.clinical)

    def not_shared(self, resource_types: Iterable[str]) -> tuple[str, ...]:
        """Those of `resource_types` that may be neither read nor searched, to be named to the patient."""
        return tuple(each for each in resource_types if not self.may_read(each) and not self.search_filters(each))

    def partly_shared(self, resource_types: Iterable[str]) -> tuple[str, ...]:
        """Those of `resource_types` of which only some categories were granted."""
        return tuple(each for each in resource_types if (found := self.search_filters(each)) and () not in found)

    def _for(self, resource_type: str) -> Iterable[ResourceScope]:
        return (each for each in self.clinical if each.context in self.contexts and each.covers(resource_type))


def granted(scope: str) -> GrantedScopes:
    """Read the `scope` of a token response; words that are not understood grant nothing."""
    words = scope.split()
    clinical = tuple(found for word in words if (found := read_scope(word)) is not None)
    return GrantedScopes(clinical, frozenset(word for word in words if read_scope(word) is None))


def scopes_for(types: Iterable[str], *, offline: bool) -> str:
    """The scopes for reading these types, each by its name rather than all at once: least privilege (SMART-35)."""
    words = ["launch/patient", "openid", "fhirUser", *(["offline_access"] if offline else [])]
    return " ".join([*words, *(f"patient/{name}.rs" for name in types)])


def scope_problem(scopes: str) -> str | None:
    """Why a configured scope text cannot be used, in plain words; None when it can. We only ever read (SMART-30)."""
    words = scopes.split()
    if "openid" not in words or "fhirUser" not in words:
        return "must hold openid and fhirUser: signing in needs both"
    for word in words:
        if "/" not in word or word in _LAUNCH_CONTEXT:
            continue
        found = read_scope(word)
        if found is None:
            return f"holds {word!r}, which is not a SMART scope (letters in the order c r u d s)"
        if found.actions - {"r", "s"}:
            return f"holds {word!r}, which asks for more than reading and searching"
        if found.context == "system":
            return f"holds {word!r}; system scopes are not for signing in"
    return None


def requested(
    scopes: str,
    capabilities: Iterable[str],
    *,
    ehr_launch: bool,
    care_team: bool,
    offline: bool,
    panel: bool = False,
) -> str:
    """The scope to ask for.

    A standalone launch asks for `launch/patient`, an EHR launch for `launch` (SMART-22). `offline_access` is asked
    for only when the person turned on background refresh, `online_access` only in an EHR launch (SMART-36). A
    server that knows only version 1 gets `.read` (SMART-31). A care-team launch asks only for who is in the chart
    and who is acting (SMART-35). `panel`: staff without a chart, who ask in their own right and for no patient.
    """
    configured = list(PANEL_SCOPES if panel else CARE_TEAM_SCOPES) if care_team or panel else scopes.split()
    words = [] if panel else ["launch" if ehr_launch else "launch/patient"]
    for word in configured:
        if word in _LAUNCH_CONTEXT or word in words:
            continue
        if (word == "offline_access" and not offline) or (word == "online_access" and not ehr_launch):
            continue
        words.append(word)
    known = set(capabilities)
    if "permission-v1" in known and "permission-v2" not in known:
        words = list(dict.fromkeys(_as_version_1(word) for word in words))
    return " ".join(words)


def _as_version_1(word: str) -> str:
    found = read_scope(word)
    if found is None or word in _LAUNCH_CONTEXT:
        return word
    return f"{found.context}/{found.type}.read"
