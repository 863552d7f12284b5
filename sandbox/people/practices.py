"""The two invented hospitals' places and staff."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Clinician:
    """One member of staff; `id` is the FHIR Practitioner id, `npi` an invented number."""

    id: str
    hospital: str
    name: str
    given: str
    family: str
    prefix: str
    role: str
    npi: str
    specialty: tuple[str, str]


_STAFF = (
    Clinician("rv-dr-okafor", "riverside", "Dr. Ngozi Okafor", "Ngozi", "Okafor", "Dr.", "Oncologist", "9990000011",
              ("207RX0202X", "Medical Oncology Physician")),
    Clinician("rv-dr-lindqvist", "riverside", "Dr. Erik Lindqvist", "Erik", "Lindqvist", "Dr.", "Surgeon",
              "9990000012", ("2086X0206X", "Surgical Oncology Physician")),
    Clinician("rv-nurse-kim", "riverside", "Nurse Kim Park", "Kim", "Park", "", "Oncology nurse", "9990000013",
              ("163WX0200X", "Oncology Registered Nurse")),
    Clinician("lk-dr-haddad", "lakeside", "Dr. Rana Haddad", "Rana", "Haddad", "Dr.", "Oncologist", "9990000021",
              ("207RX0202X", "Medical Oncology Physician")),
    Clinician("lk-dr-moreau", "lakeside", "Dr. Paul Moreau", "Paul", "Moreau", "Dr.", "Blood specialist",
              "9990000022", ("207RH0000X", "Hematology Physician")),
    Clinician("lk-nurse-diaz", "lakeside", "Nurse Luz Diaz", "Luz", "Diaz", "", "Oncology nurse", "9990000023",
              ("163WX0200X", "Oncology Registered Nurse")),
)  # fmt: skip


def clinicians_of(hospital: str) -> tuple[Clinician, ...]:
    """The staff of a hospital: an oncologist first, a nurse last."""
    return tuple(one for one in _STAFF if one.hospital == hospital)
