"""All the invented people, in a fixed order."""

from __future__ import annotations

from datetime import date
from typing import Any

from sandbox.people.person import SyntheticPerson


def _story(person: SyntheticPerson) -> list[dict[str, Any]]:
    meta = {"versionId": "1", "lastUpdated": "2026-05-04T09:00:00Z"}
    subject = {"reference": f"Patient/{person.id}"}
    rows: list[dict[str, Any]] = [
        {"resourceType": "Patient", "id": person.id, "name": [{"family": person.family, "given": [person.given]}],
         "gender": person.sex, "birthDate": person.birth_date.isoformat(),
         "identifier": [{"system": person.mrn_system, "value": person.mrn}]},
        {"resourceType": "Condition", "id": "c1", "subject": subject,
         "code": {"coding": [{"system": "http://snomed.info/sct", "code": "254837009"}], "text": "Breast cancer"}},
    ]  # fmt: skip
    rows += [
        {"resourceType": "Observation", "id": f"o{n}", "status": "final", "subject": subject,
         "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category",
                                   "code": "laboratory"}]}],
         "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}], "text": "Hemoglobin"},
         "valueQuantity": {"value": 12.1, "unit": "g/dL"}}
        for n in range(120)
    ]  # fmt: skip
    return [{**row, "meta": dict(meta)} for row in rows]


def population() -> tuple[SyntheticPerson, ...]:
    """Every synthetic person of both hospitals; the same bytes each time."""
    return (
        SyntheticPerson("rv-p01", "riverside", "RV-104233", "Maria", "Alvarez", date(1968, 3, 14), "female", "es",
                        "+1-303-555-0101", ("12 Alder Street", "Denver", "CO", "80205"), "Breast cancer", _story),
        SyntheticPerson("lk-p01", "lakeside", "LK-20871", "Walter", "Brooks", date(1951, 9, 2), "male", "en",
                        "+1-414-555-0121", ("4 Pier Road", "Milwaukee", "WI", "53202"), "Breast cancer", _story),
    )  # fmt: skip
