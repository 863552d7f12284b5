"""Who decides in a storm: the sandbox hospitals' people, whom stores hold data of, and any number of others beside."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from sandbox.people import population
from sandbox.store.config import MRN_SYSTEMS


@dataclass(frozen=True)
class Who:
    """A person of the sandbox hospitals: their id there, and the record number by which stores know them."""

    hospital: str
    patient: str
    system: str
    value: str


def people_of(hospitals: tuple[str, ...], count: int, folder: Path) -> list[Who]:
    """The sandbox's own people first; the rest get a small chart each in `folder`, one sub-folder per hospital."""
    own = [one for one in population() if one.hospital in hospitals][:count]
    found = [Who(one.hospital, one.id, MRN_SYSTEMS[one.hospital], one.mrn) for one in own]
    for hospital in hospitals:
        (folder / hospital).mkdir(parents=True, exist_ok=True)
    for number in range(count - len(found)):
        hospital = hospitals[number % len(hospitals)]
        who = Who(hospital, f"storm-{number}", MRN_SYSTEMS[hospital], f"ST-{number:06}")
        path = folder / hospital / f"{who.patient}.json"
        path.write_text(json.dumps(_chart(who, number)), encoding="utf-8")
        found.append(who)
    return found


def _chart(who: Who, number: int) -> dict[str, object]:
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
    patient = {
        "resourceType": "Patient",
        "id": who.patient,
        "identifier": [{"use": "usual", "type": kind, "system": who.system, "value": who.value}],
        "name": [{"use": "official", "family": f"Storm{number}", "given": ["Ann"]}],
        "gender": "female",
        "birthDate": f"{1930 + number % 70}-01-01",
    }
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": patient}]}
