"""The hospital's own Patient resource, read at sign-in: the name, and how stores know a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

import structlog

from fhir_bridge.providers import Provider
from fhir_bridge.reading.dates import FhirDate, read_date
from fhir_bridge.reading.shape import objects, text, texts
from fhir_bridge.retrieve.json_body import Unreadable, parse
from fhir_bridge.retrieve.page import read_resource
from fhir_bridge.smart.errors import ProviderUnavailable
from fhir_bridge.smart.grant import Grant
from patient_portal.signing_in.aliases import add_aliases, aliases_in
from patient_portal.wiring import Wiring
from vocabulary.errors import PortalError
from vocabulary.resource import Resource

log = structlog.get_logger()
FHIR_JSON = "application/fhir+json"


@dataclass(frozen=True)
class Named:
    """What a hospital calls somebody, and their birth date as it was sent; either may be empty."""

    name: str
    born: str

    @property
    def birth_date(self) -> FhirDate | None:
        return read_date(self.born)


def learn_at_sign_in(wiring: Wiring, provider: Provider, grant: Grant, person: UUID, now: datetime) -> Named:
    """Learn a patient's record number before they can decide anything: stores know a person by it, and a choice made
    in the first seconds must reach them. Returns what the hospital calls them.

    A hospital that does not answer this one question does not keep anyone out: the number is learned with the record.
    """
    if grant.patient is None:
        return Named("", "")
    try:
        patient = read_patient(wiring, provider, grant, grant.patient)
    except PortalError as error:
        log.info("patient-not-read-at-sign-in", provider=provider.id, reason=error.reason)
        return Named("", "")
    add_aliases(wiring, person, aliases_in(patient, provider), now)
    return named(patient)


def named(patient: Resource) -> Named:
    return Named(name_of(patient), text(patient.get("birthDate")))


def short_name(name: str) -> str | None:
    """`Rosa M.` for Rosa Martinez: enough to see whose record is open, not more than a passer-by should read."""
    words = name.split()
    if not words:
        return None
    return words[0] if len(words) == 1 else f"{words[0]} {words[-1][0]}."


def read_patient(wiring: Wiring, provider: Provider, grant: Grant, patient_id: str) -> Resource:
    """The Patient of the grant; ProviderUnavailable when it cannot be had or is another's."""
    base = provider.fhir_base_url
    address = f"{base.rstrip('/')}/Patient/{quote(patient_id, safe='')}"
    sent = {"Accept": FHIR_JSON, "Authorization": f"Bearer {grant.access_token}"}
    try:
        answer = wiring.http.request("GET", address, headers=sent, within=base)
    except PortalError:
        raise ProviderUnavailable("patient-not-read") from None
    page = read_resource(answer.body, "Patient", patient_id, base)
    parsed = parse(answer.body)
    if answer.status != 200 or not page.received or isinstance(parsed, Unreadable):
        raise ProviderUnavailable("patient-not-read")
    patient: Resource = parsed.value
    return patient


def name_of(patient: Resource) -> str:
    """The name staff know the patient by: official first, then usual; old and maiden names last."""
    order = {"official": 0, "usual": 1, "old": 8, "maiden": 9}
    names = sorted(objects(patient.get("name")), key=lambda each: order.get(text(each.get("use")), 5))
    for each in names:
        whole = text(each.get("text")) or " ".join([*texts(each.get("given")), text(each.get("family"))]).strip()
        if whole:
            return whole
    return ""


def preferred_language(patient: Resource, offered: tuple[str, ...]) -> str | None:
    """The patient's own language where we speak it: what we send them later is not in the nurse's."""
    spoken = sorted(objects(patient.get("communication")), key=lambda each: each.get("preferred") is not True)
    for each in spoken:
        language = each.get("language")
        for coding in objects(language.get("coding")) if isinstance(language, dict) else []:
            code = text(coding.get("code")).split("-")[0].lower()
            if code in offered:
                return code
    return None
