"""Collects one person's resources: stable ids, versions, times and profiles in one place."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from sandbox.people.codes import hl7
from sandbox.people.person import SyntheticPerson

Resource = dict[str, Any]
Reference = dict[str, str]


def wobble(key: str) -> float:
    """A number between -1 and 1 that looks random and is always the same for the same key."""
    return int.from_bytes(sha256(key.encode()).digest()[:4], "big") / 2**31 - 1


def instant(when: str, hour: int = 15) -> str:
    """A FHIR instant on the day of a date of any precision."""
    day = when[:10] if len(when) >= 10 else f"{when}-15"[:10] if len(when) == 7 else f"{when}-07-01"
    return f"{day}T{hour:02d}:30:00Z"


class ChartBuilder:
    """One chart in the making. Riverside's resources name their profiles, lakeside's do not (MC-01)."""

    def __init__(self, person: SyntheticPerson, doctor: str, nurse: str) -> None:
        self.person = person
        self.subject: Reference = {"reference": f"Patient/{person.id}", "display": f"{person.given} {person.family}"}
        self.doctor: Reference = {"reference": f"Practitioner/{doctor}"}
        self.nurse: Reference = {"reference": f"Practitioner/{nurse}"}
        self.organization: Reference = {"reference": f"Organization/{person.hospital}-main"}
        self.resources: list[Resource] = []

    def reference(self, kind: str, key: str) -> Reference:
        """The reference that `add(kind, key, …)` gives, also before it is called."""
        return {"reference": f"{kind}/{self.person.id}-{key}"}

    def add(self, kind: str, key: str, when: str, profile: str = "", **body: Any) -> Reference:
        """Add a resource and return its reference. Elements that are None are left out."""
        meta: dict[str, Any] = {"versionId": "1", "lastUpdated": instant(when)}
        if profile and self.person.hospital == "riverside":
            meta["profile"] = [profile]
        resource = {"resourceType": kind, "id": f"{self.person.id}-{key}", "meta": meta}
        self.resources.append(resource | {name: value for name, value in body.items() if value is not None})
        return self.reference(kind, key)

    def observe(self, key: str, when: str, category: str, code: Any, profile: str = "", **body: Any) -> Reference:
        """Add a final Observation of one category."""
        body.setdefault("status", "final")
        return self.add(
            "Observation", key, when, profile, category=[hl7("observation-category", category)], code=code,
            subject=self.subject, effectiveDateTime=when, **body,
        )  # fmt: skip

    def find(self, kind: str, key: str) -> Resource:
        """A resource added before, to change it."""
        wanted = f"{self.person.id}-{key}"
        return next(r for r in self.resources if r["resourceType"] == kind and r["id"] == wanted)
