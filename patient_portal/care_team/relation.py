"""Whether a member of staff cares for a patient now, by what the hospital says. Pure: resources in, an answer out.

The relation is an active CareTeam of the patient in which the member takes part today (FHIR R4 careteam.html, US Core
CareTeam). In doubt the answer is no.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fhir_bridge.reading.dates import FhirDate, Precision, read_date
from fhir_bridge.reading.shape import obj, objects, text
from vocabulary.resource import Resource

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_US_DAY = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
LONGEST_SEARCH = 100


@dataclass(frozen=True)
class Found:
    """One line of the list of patients, as the hospital gives it. Never printed, never stored."""

    id: str = field(repr=False)
    name: str = field(repr=False)
    birth_date: str = field(repr=False)
    record_number: str = field(repr=False)

    @property
    def born(self) -> FhirDate | None:
        """The birth date to show, as exact as the hospital has it."""
        return read_date(self.birth_date)


def local_reference(reference: str, base: str) -> str:
    """A reference as it stands within the hospital's own server: absolute ones lose its base."""
    return reference.removeprefix(base.rstrip("/") + "/")


def cares_for(found: Iterable[Resource], staff: str, patient: str, base: str, now: datetime) -> bool:
    """Whether `staff` (such as `Practitioner/7`) is on an active care team of `patient` at `now`.

    `found`: CareTeam resources, and PractitionerRole resources that say which roles are whose.
    """
    found = list(found)
    own = {staff} | {
        f"PractitionerRole/{text(role.get('id'))}"
        for role in found
        if role.get("resourceType") == "PractitionerRole" and role.get("active") is not False
        and _points_to(role.get("practitioner"), {staff}, base) and _lasts(role.get("period"), now)
    }  # fmt: skip
    return any(
        team.get("resourceType") == "CareTeam" and team.get("status") == "active" and _lasts(team.get("period"), now)
        and _points_to(team.get("subject"), {f"Patient/{patient}"}, base)
        and any(_points_to(one.get("member"), own, base) and _lasts(one.get("period"), now)
                for one in objects(team.get("participant")))
        for team in found
    )  # fmt: skip


def patients_of_teams(found: Iterable[Resource], staff: str, base: str, now: datetime) -> set[str]:
    """Ids of the patients on whose active care teams `staff` is, among these resources."""
    found = list(found)
    named = {local_reference(text(obj(one.get("subject")).get("reference")), base) for one in found}
    ids = {reference.removeprefix("Patient/") for reference in named if reference.startswith("Patient/")}
    return {patient for patient in ids if cares_for(found, staff, patient, base, now)}


def wanted(query: str, identifier_system: str | None) -> Mapping[str, str]:
    """What was typed as FHIR search parameters: a birth date, a record number or a name; empty for nothing usable."""
    typed = " ".join(query.split())[:LONGEST_SEARCH]
    us_day = _US_DAY.fullmatch(typed)
    if us_day:
        return {"birthdate": f"{us_day[3]}-{int(us_day[1]):02}-{int(us_day[2]):02}"}
    if _DAY.fullmatch(typed):
        return {"birthdate": typed}
    if any(character.isdigit() for character in typed):
        value = typed.replace(",", "").replace("|", "")
        return {"identifier": f"{identifier_system}|{value}" if identifier_system else value}
    name = typed.replace(",", " ").strip()
    return {"name": name} if len(name) > 1 else {}


def escaped(value: str) -> str:
    """A record number as one of several values of a search: a backslash at its end would join the next to it
    (FHIR R4 search.html, escaping search parameters). Commas and bars are in no record number here."""
    return value.replace("\\", "\\\\")


def _points_to(value: object, wanted_ones: set[str], base: str) -> bool:
    return local_reference(text(obj(value).get("reference")), base) in wanted_ones


def _lasts(period: object, now: datetime) -> bool:
    """Whether a Period holds `now`; a bound that cannot be read holds nothing."""
    start, end = obj(period).get("start"), obj(period).get("end")
    return (start is None or _has_begun(start, now)) and (end is None or _goes_on(end, now))


def _has_begun(value: object, now: datetime) -> bool:
    start = read_date(value)
    return start is not None and start.value is not None and start.sort <= now


def _goes_on(value: object, now: datetime) -> bool:
    """An end without a time includes the whole day, month or year (FHIR R4 datatypes, Period)."""
    end = read_date(value)
    if end is None or end.value is None:
        return False
    if end.precision is Precision.INSTANT:
        return end.sort >= now
    return end.text >= now.date().isoformat()[: len(end.text)]
