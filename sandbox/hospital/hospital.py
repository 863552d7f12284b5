"""One running hospital's parts, gathered: settings, addresses, charts, permissions, keys, faults."""

from __future__ import annotations

from pathlib import Path

from sandbox.hospital.clients import registered
from sandbox.hospital.configuration import HospitalConfig
from sandbox.hospital.faults import Faults
from sandbox.hospital.load_folder import LoadReport, load_folder
from sandbox.hospital.permissions import PermissionBook
from sandbox.hospital.records import ChartEntry, Login, Records
from sandbox.hospital.signing import HospitalKeys
from sandbox.people import SyntheticPerson, population
from sandbox.people.practices import clinicians_of


class Hospital:
    """Everything the pages and the API share. `port` is the port it really listens on."""

    def __init__(self, config: HospitalConfig, port: int) -> None:
        config.state_dir.mkdir(parents=True, exist_ok=True)
        self.config = config
        self.url = f"http://localhost:{port}"
        self.fhir_url = f"{self.url}/fhir"
        self.authorize_url = f"{self.url}/oauth/authorize"
        self.token_url = f"{self.url}/oauth/token"
        self.revoke_url = f"{self.url}/oauth/revoke"
        self.introspect_url = f"{self.url}/oauth/introspect"
        self.issuer = self.url
        self.apps = registered(config)
        self.keys = HospitalKeys(config.state_dir)
        self.permissions = PermissionBook(config.state_dir)
        self.faults = Faults()
        self.load_report = load_folder(config.patients) if config.patients else LoadReport((), ())
        self.records = _records(config.id, self.load_report)

    def fhir_user(self, login: Login) -> str:
        """The `fhirUser` claim for a login, absolute or relative as this hospital writes it."""
        return login.reference if self.config.relative_fhir_user else f"{self.fhir_url}/{login.reference}"


def _records(hospital_id: str, loaded: LoadReport) -> Records:
    people = [p for p in population() if p.hospital == hospital_id]
    entries = [_entry(person) for person in people]
    entries += [one for one in loaded.people if one.patient_id not in {p.id for p in people}]
    relatives = [
        Login(f"RelatedPerson/{p.relative.id}", p.relative.name, f"{p.relative.relation} of {p.given} {p.family}",
              "relative", f"RelatedPerson/{p.relative.id}", p.id)
        for p in people if p.relative
    ]  # fmt: skip
    clinicians = [
        Login(f"Practitioner/{c.id}", c.name, c.role, "clinician", f"Practitioner/{c.id}", None)
        for c in clinicians_of(hospital_id)
    ]
    return Records(entries, relatives, clinicians)


def _entry(person: SyntheticPerson) -> ChartEntry:
    return ChartEntry(
        patient_id=person.id,
        name=f"{person.given} {person.family}",
        birth_date=person.birth_date.isoformat(),
        sex=person.sex,
        cancer=person.cancer,
        mrn=person.mrn,
        loaded_from=(),
        open=person.resources,
    )


def state_port(folder: Path) -> int:
    """The port used last time with this state folder, or 0."""
    path = folder / "port"
    return int(path.read_text()) if path.exists() else 0
