"""What may be said of the person: sex, race and ethnicity as coded, year of birth or 90+, state and ZIP3."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from research.deidentify.codes import may_leave
from research.deidentify.places import TOO_FEW, is_american, is_over_89, state_code, year_of, zip3

OWN = "https://patient-portal.example/fhir/StructureDefinition/"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
GENDERS = frozenset({"male", "female", "other", "unknown"})
BIRTH_SEX = frozenset({"M", "F", "OTH", "UNK", "ASKU"})
PARTS = {US_CORE + "race", US_CORE + "ethnicity"}
CATEGORIES = ("ombCategory",)


class Address(Struct, rename="camel"):
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    use: str | None = None


class PartCoding(Struct):
    system: str | None = None
    code: str | None = None


class Part(Struct, rename="camel"):
    url: str = ""
    value_coding: PartCoding | None = None


class Extension(Struct, rename="camel"):
    url: str = ""
    extension: list[Part] | None = None
    value_code: str | None = None


class Patient(Struct, rename="camel", tag_field="resourceType", tag="Patient"):
    """The few elements of a Patient that are read at all."""

    id: str | None = None
    gender: str | None = None
    birth_date: str | None = None
    deceased_boolean: bool | None = None
    deceased_date_time: str | None = None
    address: list[Address] | None = None
    extension: list[Extension] | None = None


def over_89(patient: Patient | None, this_year: int) -> bool:
    """Whether the person may be over 89; without a known year of birth they may."""
    return is_over_89(year_of(patient.birth_date) if patient and patient.birth_date else None, this_year)


def coarse_patient(patient: Patient, own_id: str, this_year: int) -> dict[str, Any]:
    """The release's Patient. Coarse facts have extensions of their own, so that no element looks more exact than it is.

    `birth-year` and `age-group` exclude each other: a year of birth of someone over 89 would tell their age.
    """
    made: dict[str, Any] = {"resourceType": "Patient", "id": own_id}
    facts: list[dict[str, Any]] = []
    born = year_of(patient.birth_date or "")
    if born is not None and is_over_89(born, this_year):
        facts.append({"url": OWN + "age-group", "valueCode": "90+"})
    elif born is not None:
        facts.append({"url": OWN + "birth-year", "valueInteger": born})
    facts += _place(patient) + _coded_facts(patient)
    if facts:
        made["extension"] = facts
    if patient.gender in GENDERS:
        made["gender"] = patient.gender
    if patient.deceased_boolean is not None or patient.deceased_date_time:
        made["deceasedBoolean"] = bool(patient.deceased_boolean) or bool(patient.deceased_date_time)
    return made


def _place(patient: Patient) -> list[dict[str, Any]]:
    """State and ZIP3 of the first address in the United States; nothing of another."""
    for address in patient.address or []:
        state = state_code(address.state or "")
        if address.use == "old" or not is_american(address.country or "") or state is None:
            continue
        prefix = zip3(address.postal_code) if address.postal_code else TOO_FEW
        return [{"url": OWN + "state", "valueCode": state}, {"url": OWN + "zip3", "valueString": prefix}]
    return []


def _coded_facts(patient: Patient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for one in patient.extension or []:
        if one.url in PARTS:
            parts = [
                {"url": part.url, "valueCoding": {"system": part.value_coding.system, "code": part.value_coding.code}}
                for part in one.extension or []
                if part.url in CATEGORIES
                and part.value_coding
                and may_leave(part.value_coding.system or "", part.value_coding.code or "")
            ]
            if parts:
                found.append({"url": one.url, "extension": parts})
        elif one.url == US_CORE + "birthsex" and one.value_code in BIRTH_SEX:
            found.append({"url": one.url, "valueCode": one.value_code})
    return found
