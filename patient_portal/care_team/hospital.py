"""What the hospital tells a member of staff who asks with their own token: their patients, and whom they care for now.

Asked anew each time, by POST so that no name stands in an address, and kept nowhere. A hospital that refuses has ended
the relation; one that does not answer has said nothing, and then nothing is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from fhir_bridge.providers import Provider
from fhir_bridge.reading.shape import obj, objects, text
from fhir_bridge.retrieve.json_body import Unreadable, parse
from fhir_bridge.smart.errors import ProviderUnavailable
from patient_portal.care_team.relation import Found, cares_for, escaped, patients_of_teams
from patient_portal.signing_in.aliases import aliases_in
from patient_portal.signing_in.hospital_patient import FHIR_JSON, name_of
from patient_portal.wiring import Wiring
from vocabulary.errors import PortalError, Refused
from vocabulary.resource import Resource

MOST_SHOWN = 50
A_REQUEST = 50
"""How many patients are asked about at once: a search names them all in its form."""


class RelationEnded(Refused):
    """The hospital no longer lets this member of staff act for this patient; `signed_out`: its token is dead too."""

    def __init__(self, reason: str, *, signed_out: bool = False) -> None:
        super().__init__(reason)
        self.signed_out = signed_out


@dataclass(frozen=True)
class Asking:
    """Who asks at which hospital. `staff` is their own reference, such as `Practitioner/7`."""

    wiring: Wiring
    provider: Provider
    staff: str
    token: str = field(repr=False)

    @property
    def base(self) -> str:
        return self.provider.fhir_base_url.rstrip("/")


def patient_now(asking: Asking, patient: str, now: datetime, *, from_chart: bool) -> Resource:
    """The Patient, if this member of staff may act for them now; RelationEnded or ProviderUnavailable else.

    From a chart the hospital's own launch is the relation, and it lasts while the hospital lets the launch's token
    read that patient. Without a chart the member has to be on an active care team of the patient.
    """
    found = _get(asking, f"Patient/{quote(patient, safe='')}")
    if found.get("resourceType") != "Patient" or found.get("id") != patient:
        raise ProviderUnavailable("patient-not-read")
    if not from_chart and patient not in on_teams_of(asking, [patient], now):
        raise RelationEnded("not-on-the-care-team")
    return found


def on_teams_of(asking: Asking, patients: Sequence[str], now: datetime) -> set[str]:
    """Of these patients, those on whose active care teams the member is now; one request for each fifty."""
    found: set[str] = set()
    for start in range(0, len(patients), A_REQUEST):
        some = patients[start : start + A_REQUEST]
        form = {"patient": ",".join(some), "status": "active", "_count": "200", "_include": "CareTeam:participant"}
        teams = _search(asking, "CareTeam", form)
        found |= {each for each in some if cares_for(teams, asking.staff, each, asking.base, now)}
    return found


def own_patients(asking: Asking, now: datetime) -> list[Found]:
    """The member's own list: patients on whose care teams they are. Empty where the hospital cannot tell."""
    form = {"participant": asking.staff, "status": "active", "_include": "CareTeam:patient", "_count": "200"}
    try:
        found = _search(asking, "CareTeam", form)
    except RelationEnded as error:
        if error.signed_out:
            raise
        return []
    except ProviderUnavailable:
        return []
    cared = patients_of_teams(found, asking.staff, asking.base, now)
    rows = {one.id: one for one in _lines(asking, found) if one.id in cared}
    return sorted(rows.values(), key=lambda one: one.name.split()[-1:])[:MOST_SHOWN]


def find_patients(asking: Asking, form: Mapping[str, str]) -> list[Found]:
    """Patients of the hospital whom these search parameters fit."""
    return _lines(asking, _search(asking, "Patient", {**form, "_count": str(MOST_SHOWN)}))[:MOST_SHOWN]


def patients_by_number(asking: Asking, numbers: Sequence[str]) -> dict[str, list[Resource]]:
    """Patients by record number; one request for each fifty. A number may have none, or more than one."""
    found: dict[str, list[Resource]] = {}
    system = asking.provider.identifier_system
    for start in range(0, len(numbers), A_REQUEST):
        some = numbers[start : start + A_REQUEST]
        values = [escaped(each) for each in some]
        asked = ",".join(f"{system}|{each}" if system else each for each in values)
        for patient in _search(asking, "Patient", {"identifier": asked, "_count": "200"}):
            for alias in aliases_in(patient, asking.provider):
                found.setdefault(alias.value, []).append(patient)
    return found


def patients_by_id(asking: Asking, ids: Sequence[str]) -> dict[str, Resource]:
    """Patients by the hospital's own id; one request for each fifty."""
    found: dict[str, Resource] = {}
    for start in range(0, len(ids), A_REQUEST):
        form = {"_id": ",".join(ids[start : start + A_REQUEST]), "_count": "200"}
        found |= {text(one.get("id")): one for one in _search(asking, "Patient", form)}
    return found


def _lines(asking: Asking, found: Sequence[Resource]) -> list[Found]:
    rows = []
    for patient in found:
        if patient.get("resourceType") == "Patient" and patient.get("active") is not False and name_of(patient):
            numbers = [alias.value for alias in aliases_in(patient, asking.provider)]
            born = text(patient.get("birthDate"))
            rows.append(Found(text(patient.get("id")), name_of(patient), born, numbers[0] if numbers else ""))
    return rows


def _search(asking: Asking, kind: str, form: Mapping[str, str]) -> list[Resource]:
    bundle = _answer(asking, "POST", f"{kind}/_search", form)
    if bundle.get("resourceType") != "Bundle":
        raise ProviderUnavailable("search-not-read")
    found = [obj(entry.get("resource")) for entry in objects(bundle.get("entry"))]
    return [one for one in found if one.get("resourceType") != "OperationOutcome" and text(one.get("id"))]


def _get(asking: Asking, path: str) -> Resource:
    return _answer(asking, "GET", path, None)


def _answer(asking: Asking, method: str, path: str, form: Mapping[str, str] | None) -> Resource:
    sent = {"Accept": FHIR_JSON, "Authorization": f"Bearer {asking.token}"}
    try:
        answer = asking.wiring.http.request(
            method, f"{asking.base}/{path}", headers=sent, form=form, within=asking.provider.fhir_base_url
        )
    except PortalError:
        raise ProviderUnavailable("hospital-not-asked") from None
    if answer.status == 401:
        raise RelationEnded("signed-out-at-the-hospital", signed_out=True)
    if answer.status in (403, 404, 410):
        raise RelationEnded("not-let-in-by-the-hospital")
    parsed = parse(answer.body)
    if answer.status != 200 or isinstance(parsed, Unreadable) or not isinstance(parsed.value, dict):
        raise ProviderUnavailable("hospital-not-read")
    resource: Resource = parsed.value
    return resource
