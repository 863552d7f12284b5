"""What a member of staff may look up with their own token: patients, and the care teams that patients are with.

A token without a patient is a clinician's (`user/` scopes). Like many real hospitals this one lets its clinicians find
any patient of the house; who cares for whom stands in CareTeam. Source: FHIR R4 search.html, US Core CareTeam.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import Any

import orjson
from flask import Response, request

from sandbox.hospital import faults
from sandbox.hospital.hospital import Hospital
from sandbox.hospital.permissions import Token
from sandbox.hospital.records import ChartEntry
from sandbox.hospital.scopes import Permission

Resource = dict[str, Any]
_MOST = 200


def answer_staff(hospital: Hospital) -> Response | None:
    """The answer to a clinician's own token; None for every other token, which the chart's routes answer."""
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    token = hospital.permissions.access(value, time.time()) if kind.lower() == "bearer" else None
    if token is None or token.permission.patient_id:
        return None
    path = [part for part in request.path.removeprefix("/fhir/").split("/") if part]
    broken = hospital.faults.for_type(path[0])
    answer = faults.answer_for(broken) if broken else None
    if answer is not None:
        return answer
    if not _may(token, path):
        return _outcome(403, "forbidden")
    return _answer(hospital, path)


def _may(token: Token, path: list[str]) -> bool:
    return Permission.of(token.scope).may(path[0], search=len(path) == 1 or path[1] == "_search")


def _answer(hospital: Hospital, path: list[str]) -> Response:
    if path[0] not in ("Patient", "CareTeam"):
        return _outcome(404, "not-supported")
    if len(path) == 2 and path[1] != "_search":
        found = _patient(hospital, path[1]) if path[0] == "Patient" else None
        return _json(found) if found else _outcome(404, "not-found")
    asked = {name: request.values[name] for name in request.values}
    rows = _patients(hospital, asked) if path[0] == "Patient" else _care_teams(hospital, asked)
    count = min(int(asked["_count"]), _MOST) if asked.get("_count", "").isdigit() else _MOST
    entries = [
        {"fullUrl": f"{hospital.fhir_url}/{row['resourceType']}/{row['id']}", "resource": row, "search": {"mode": mode}}
        for row, mode in rows
    ]
    return _json({"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries[:count]})


def _patients(hospital: Hospital, asked: dict[str, str]) -> Iterator[tuple[Resource, str]]:
    for entry in hospital.records.entries.values():
        if _fits(entry, asked):
            found = _patient(hospital, entry.patient_id)
            if found is not None:
                yield found, "match"


def _fits(entry: ChartEntry, asked: dict[str, str]) -> bool:
    """`name` is the beginning of any word of the name; `identifier` with or without its system; or none of them."""
    words = entry.name.lower().split()
    checks: dict[str, Callable[[str], bool]] = {
        "name": lambda wanted: all(any(w.startswith(one) for w in words) for one in wanted.lower().split()),
        "identifier": lambda wanted: entry.mrn in [one.rpartition("|")[2] for one in wanted.split(",")],
        "birthdate": lambda wanted: entry.birth_date == wanted.removeprefix("eq"),
        "_id": lambda wanted: entry.patient_id in wanted.split(","),
    }
    given = [(check, asked[name]) for name, check in checks.items() if asked.get(name)]
    return bool(given) and all(check(wanted) for check, wanted in given)


def _care_teams(hospital: Hospital, asked: dict[str, str]) -> Iterator[tuple[Resource, str]]:
    """By `patient`, or by `participant`; the latter looks into our own people's charts, not into loaded folders."""
    named = [one.removeprefix("Patient/") for one in asked.get("patient", "").split(",") if one]
    ours = [entry.patient_id for entry in hospital.records.entries.values() if not entry.loaded_from]
    for patient in named or ours:
        for team in _teams_of(hospital, patient):
            if not _is_asked_for(team, asked):
                continue
            yield team, "match"
            included = _patient(hospital, patient) if asked.get("_include") == "CareTeam:patient" else None
            if included is not None:
                yield included, "include"


def _teams_of(hospital: Hospital, patient: str) -> Iterable[Resource]:
    """The teams, without who has left them: `{"left_team": ["Practitioner/…"]}` among the faults."""
    chart = hospital.records.chart(patient)
    gone = hospital.faults.get("left_team") or []
    for team in chart.of_type("CareTeam") if chart else []:
        left = deepcopy(team)
        left["participant"] = [one for one in team.get("participant", []) if _member(one) not in gone]
        yield left


def _is_asked_for(team: Resource, asked: dict[str, str]) -> bool:
    if asked.get("status", team.get("status")) != team.get("status"):
        return False
    wanted = asked.get("participant")
    return not wanted or any(_member(one) == wanted for one in team["participant"])


def _member(participant: Resource) -> str:
    return str(participant.get("member", {}).get("reference", ""))


def _patient(hospital: Hospital, patient_id: str) -> Resource | None:
    chart = hospital.records.chart(patient_id)
    return chart.read(f"Patient/{patient_id}") if chart else None


def _json(content: Resource, status: int = 200) -> Response:
    kind = "application/fhir+json; charset=utf-8"
    return Response(orjson.dumps(content), status, {"Cache-Control": "no-store"}, content_type=kind)


def _outcome(status: int, code: str) -> Response:
    issue = {"severity": "error", "code": code}
    return _json({"resourceType": "OperationOutcome", "issue": [issue]}, status)
