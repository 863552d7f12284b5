"""Whose charts this hospital holds, and who may sign in to see them. Charts are read from disk only when opened."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from sandbox.hospital.matching import patient_of

Resource = dict[str, Any]
_CHARTS_IN_MEMORY = 12


class Chart:
    """Everything one hospital holds about one person, by type, in the order it was written."""

    def __init__(self, patient_id: str, resources: list[Resource]) -> None:
        self.patient_id = patient_id
        self.by_type: dict[str, list[Resource]] = {}
        self._by_key: dict[str, Resource] = {}
        for resource in resources:
            self.by_type.setdefault(resource["resourceType"], []).append(resource)
            self._by_key[f"{resource['resourceType']}/{resource['id']}"] = resource

    def read(self, reference: str) -> Resource | None:
        """The resource at `Type/id`, or None. A resource that names another patient is never found."""
        found = self._by_key.get(reference)
        return found if found is not None and self.owns(found) else None

    def of_type(self, resource_type: str) -> list[Resource]:
        """All resources of a type that are this person's or nobody's (practitioners, places)."""
        return [r for r in self.by_type.get(resource_type, []) if self.owns(r)]

    def owns(self, resource: Resource) -> bool:
        """Whether the resource names no patient, or this one."""
        return patient_of(resource) in (None, self.patient_id)


@dataclass(frozen=True)
class ChartEntry:
    """One line of the list of patients; `open` reads the chart. `cancer` is a short description or ''."""

    patient_id: str
    name: str
    birth_date: str
    sex: str
    cancer: str
    mrn: str
    loaded_from: tuple[str, ...]
    open: Callable[[], list[Resource]]


@dataclass(frozen=True)
class Login:
    """Someone who can sign in. `reference` is their own FHIR resource; `patient_id` is None for clinicians."""

    id: str
    name: str
    note: str
    kind: Literal["patient", "relative", "clinician"]
    reference: str
    patient_id: str | None

    def subject(self, hospital: str) -> str:
        """The stable, meaningless OpenID Connect `sub` of this login at one hospital."""
        return sha256(f"{hospital}|{self.id}".encode()).hexdigest()[:24]


class Records:
    """The hospital's charts by patient id, and its logins by login id."""

    def __init__(self, entries: list[ChartEntry], relatives: list[Login], clinicians: list[Login]) -> None:
        self.entries = {entry.patient_id: entry for entry in entries}
        patients = [
            Login(f"Patient/{e.patient_id}", e.name, e.cancer, "patient", f"Patient/{e.patient_id}", e.patient_id)
            for e in entries
        ]
        self.logins = {login.id: login for login in [*patients, *relatives, *clinicians]}
        self._open: OrderedDict[str, Chart] = OrderedDict()
        self._lock = threading.Lock()

    def chart(self, patient_id: str) -> Chart | None:
        """The chart of a patient, from memory or freshly opened; None for an unknown patient."""
        entry = self.entries.get(patient_id)
        if entry is None:
            return None
        with self._lock:
            chart = self._open.pop(patient_id, None) or Chart(patient_id, entry.open())
            self._open[patient_id] = chart
            while len(self._open) > _CHARTS_IN_MEMORY:
                self._open.popitem(last=False)
            return chart

    def people(self, kind: str) -> list[Login]:
        """Logins of one kind, in the order of the list of patients."""
        return [login for login in self.logins.values() if login.kind == kind]
