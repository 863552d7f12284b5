"""What the sandbox knows about one invented person before opening their chart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

Resource = dict[str, Any]
HospitalId = Literal["riverside", "lakeside"]

MRN_SYSTEMS: dict[str, str] = {
    "riverside": "urn:oid:2.16.840.1.113883.19.5",
    "lakeside": "urn:oid:2.16.840.1.113883.19.6",
}


@dataclass(frozen=True)
class Relative:
    """Family with their own sign-in: FHIR RelatedPerson id, name and relation in plain words."""

    id: str
    name: str
    relation: str
    code: str
    birth_date: str


@dataclass(frozen=True)
class SyntheticPerson:
    """One invented person. `id` is the FHIR Patient id at `hospital`; `language` is a BCP 47 code."""

    id: str
    hospital: HospitalId
    mrn: str
    given: str
    family: str
    birth_date: date
    sex: Literal["female", "male"]
    language: str
    phone: str
    address: tuple[str, str, str, str]
    cancer: str
    story: Callable[[SyntheticPerson], list[Resource]] = field(repr=False)
    relative: Relative | None = None

    @property
    def mrn_system(self) -> str:
        """The identifier system of this hospital's record numbers."""
        return MRN_SYSTEMS[self.hospital]

    def resources(self) -> list[Resource]:
        """Everything in this person's chart as raw FHIR R4; every literal reference in it resolves within it."""
        return self.story(self)
