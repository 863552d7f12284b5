"""The two invented hospitals' places and staff, and their FHIR resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.people.codes import HL7, SNOMED, concept

Resource = dict[str, Any]
_META = {"versionId": "1", "lastUpdated": "2020-01-02T09:00:00Z"}


@dataclass(frozen=True)
class Clinician:
    """One member of staff; `id` is the FHIR Practitioner id, `npi` an invented number."""

    id: str
    hospital: str
    name: str
    given: str
    family: str
    role: str
    npi: str
    specialty: tuple[str, str]


_STAFF = (
    Clinician("rv-dr-okafor", "riverside", "Dr. Ngozi Okafor", "Ngozi", "Okafor", "Oncologist", "9990000011",
              ("207RX0202X", "Medical Oncology Physician")),
    Clinician("rv-dr-lindqvist", "riverside", "Dr. Erik Lindqvist", "Erik", "Lindqvist", "Surgeon", "9990000012",
              ("2086X0206X", "Surgical Oncology Physician")),
    Clinician("rv-nurse-kim", "riverside", "Nurse Kim Park", "Kim", "Park", "Oncology nurse", "9990000013",
              ("163WX0200X", "Oncology Registered Nurse")),
    Clinician("lk-dr-haddad", "lakeside", "Dr. Rana Haddad", "Rana", "Haddad", "Oncologist", "9990000021",
              ("207RX0202X", "Medical Oncology Physician")),
    Clinician("lk-dr-moreau", "lakeside", "Dr. Paul Moreau", "Paul", "Moreau", "Blood specialist", "9990000022",
              ("207RH0000X", "Hematology Physician")),
    Clinician("lk-nurse-diaz", "lakeside", "Nurse Luz Diaz", "Luz", "Diaz", "Oncology nurse", "9990000023",
              ("163WX0200X", "Oncology Registered Nurse")),
)  # fmt: skip
_PLACES = {
    "riverside": ("Riverside Cancer Center", "200 River Road", "Denver", "CO", "80202", "+1-303-555-0100"),
    "lakeside": ("Lakeside Medical Group", "9 Harbor Drive", "Milwaukee", "WI", "53202", "+1-414-555-0100"),
}


def clinicians_of(hospital: str) -> tuple[Clinician, ...]:
    """The staff of a hospital: an oncologist first, a nurse last."""
    return tuple(one for one in _STAFF if one.hospital == hospital)


def place_resources(hospital: str) -> list[Resource]:
    """Organization, Location, Practitioner and PractitionerRole resources that every chart of the hospital uses."""
    name, street, city, state, zip_code, phone = _PLACES[hospital]
    address = {"line": [street], "city": city, "state": state, "postalCode": zip_code, "country": "US"}
    telecom = [{"system": "phone", "value": phone, "use": "work"}]
    organization = {"reference": f"Organization/{hospital}-main", "display": name}
    places: list[Resource] = [
        {"resourceType": "Organization", "id": f"{hospital}-main", "active": True, "name": name, "telecom": telecom,
         "type": [concept((HL7 + "organization-type", "prov", "Healthcare Provider"))], "address": [address]},
        {"resourceType": "Organization", "id": f"{hospital}-payer", "active": True, "name": "Meadow Health Plan",
         "type": [concept((HL7 + "organization-type", "ins", "Insurance Company"))]},
        {"resourceType": "Location", "id": f"{hospital}-infusion", "status": "active", "name": f"{name}, infusion unit",
         "mode": "instance", "address": address, "telecom": telecom, "managingOrganization": organization},
    ]  # fmt: skip
    return [{**one, "meta": dict(_META)} for one in places + _staff_resources(hospital, organization)]


def _staff_resources(hospital: str, organization: dict[str, str]) -> list[Resource]:
    rows: list[Resource] = []
    for one in clinicians_of(hospital):
        who = {"reference": f"Practitioner/{one.id}", "display": one.name}
        title = [one.name.split()[0]] if one.name.startswith("Dr.") else None
        spoken = {"family": one.family, "given": [one.given], "text": one.name}
        rows += [
            {"resourceType": "Practitioner", "id": one.id, "active": True,
             "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": one.npi}],
             "name": [spoken | ({"prefix": title} if title else {})]},
            {"resourceType": "PractitionerRole", "id": f"{one.id}-role", "active": True, "practitioner": who,
             "organization": organization, "code": [concept((SNOMED, "158965000", "Medical practitioner"),
                                                            text=one.role)],
             "specialty": [concept(("http://nucc.org/provider-taxonomy", *one.specialty))],
             "location": [{"reference": f"Location/{hospital}-infusion"}]},
        ]  # fmt: skip
    return rows
