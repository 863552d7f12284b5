"""The FHIR R4 routes: read, search, next pages, $everything. Every one needs a live token and its scopes."""

from __future__ import annotations

import base64
import time
from typing import Any

import orjson
from flask import Blueprint, Response, request

from sandbox.hospital import faults, search
from sandbox.hospital.discovery import MORE_TYPES, TYPES
from sandbox.hospital.hospital import Hospital
from sandbox.hospital.permissions import Token
from sandbox.hospital.records import Chart
from sandbox.hospital.scopes import Permission
from sandbox.hospital.staff_api import answer_staff

Resource = dict[str, Any]
_LARGEST_PAGE = 500
_CODES = {400: "invalid", 401: "login", 403: "forbidden", 404: "not-found", 410: "deleted"}


class Answer(Exception):
    """A FHIR error on its way out."""

    def __init__(self, status: int, text: str, code: str | None = None) -> None:
        self.status, self.text, self.code = status, text, code or _CODES[status]


def fhir_json(content: dict[str, Any], status: int = 200) -> Response:
    """A FHIR JSON answer that nobody may cache."""
    headers = {"Cache-Control": "no-store"}
    return Response(orjson.dumps(content), status, headers, content_type="application/fhir+json; charset=utf-8")


def outcome(status: int, code: str, text: str) -> Response:
    """An OperationOutcome answer."""
    issue = {"severity": "error", "code": code, "diagnostics": text}
    answer = fhir_json({"resourceType": "OperationOutcome", "issue": [issue]}, status)
    if status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return answer


class Visit:
    """One authorized request: whose chart, and what may be touched."""

    def __init__(self, hospital: Hospital) -> None:
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        token = hospital.permissions.access(value, time.time()) if kind.lower() == "bearer" else None
        if token is None:
            raise Answer(401, "A live access token is needed.")
        chart = hospital.records.chart(token.permission.patient_id)
        if chart is None:
            raise Answer(403, "The token's patient is not known here.")
        self.token: Token = token
        self.chart: Chart = chart
        self.permission = Permission.of(token.scope)

    def need(self, resource_type: str, *, search: bool) -> None:
        """Stop with 404 for a type this server has never heard of, 403 for one outside the granted scope."""
        if resource_type not in TYPES and resource_type not in MORE_TYPES and not self.chart.by_type.get(resource_type):
            raise Answer(404, f"{resource_type} is not supported here.", "not-supported")
        kinds = ("Binary", "DocumentReference", "DiagnosticReport") if resource_type == "Binary" else (resource_type,)
        if not any(self.permission.may(kind, search=search) for kind in kinds):
            raise Answer(403, f"The granted scope does not cover {resource_type}.")


def fhir_api(hospital: Hospital) -> Blueprint:
    """The routes under /fhir."""
    pages = Blueprint("fhir", __name__)
    pages.before_request(lambda: answer_staff(hospital))

    @pages.errorhandler(Answer)
    def failed(error: Answer) -> Response:
        return outcome(error.status, error.code, error.text)

    @pages.get("/fhir/<resource_type>")
    def search_type(resource_type: str) -> Response:
        visit = Visit(hospital)
        visit.need(resource_type, search=True)
        return _search(hospital, visit, resource_type, list(request.args.items(multi=True)))

    @pages.post("/fhir/<resource_type>/_search")
    def search_by_post(resource_type: str) -> Response:
        visit = Visit(hospital)
        visit.need(resource_type, search=True)
        parameters = [*request.args.items(multi=True), *request.form.items(multi=True)]
        return _search(hospital, visit, resource_type, parameters)

    @pages.get("/fhir/_page/<state>")
    def next_page(state: str) -> Response:
        return _next_page(hospital, state)

    @pages.get("/fhir/<resource_type>/<resource_id>")
    def read(resource_type: str, resource_id: str) -> Response:
        visit = Visit(hospital)
        visit.need(resource_type, search=False)
        return _read(hospital, visit, resource_type, resource_id)

    @pages.get("/fhir/Patient/<patient_id>/$everything")
    def everything(patient_id: str) -> Response:
        visit = Visit(hospital)
        visit.need("Patient", search=False)
        if patient_id != visit.chart.patient_id:
            raise Answer(403, "This token is for another patient.")
        return _search(hospital, visit, "*", list(request.args.items(multi=True)))

    return pages


def _next_page(hospital: Hospital, state: str) -> Response:
    visit = Visit(hospital)
    opened = hospital.keys.unseal(state)
    if opened is None or opened[0] != visit.chart.patient_id:
        raise Answer(410, "This page link is not valid any more.")
    _, resource_type, parameters, offset = opened
    if resource_type != "*":
        visit.need(resource_type, search=True)
    return _search(hospital, visit, resource_type, [(n, v) for n, v in parameters], offset)


def _read(hospital: Hospital, visit: Visit, resource_type: str, resource_id: str) -> Response:
    fault = hospital.faults.for_type(resource_type)
    broken = faults.answer_for(fault) if fault else None
    if broken is not None:
        return broken
    found = visit.chart.read(f"{resource_type}/{resource_id}")
    if found is None:
        raise Answer(404, f"There is no {resource_type}/{resource_id} in this chart.")
    if resource_type == "Binary":
        return _binary(found)
    if not visit.permission.covers(found):
        raise Answer(403, "The granted scope does not cover this entry.")
    return fhir_json(found)


def _binary(resource: Resource) -> Response:
    """FHIR JSON when asked for, else the bytes themselves (FHIR-11)."""
    wanted = request.headers.get("Accept", "*/*")
    if "application/fhir+json" in wanted or wanted.startswith("application/json"):
        return fhir_json(resource)
    content = base64.b64decode(resource.get("data", ""))
    return Response(content, 200, {"Cache-Control": "no-store"}, content_type=resource["contentType"])


def _checked(hospital: Hospital, visit: Visit, resource_type: str, parameters: search.Parameters) -> None:
    """Stop searches about other patients, and Observation searches without a category where those are refused."""
    names = {name.split(":")[0] for name, _ in parameters}
    for name, value in parameters:
        if name.split(":")[0] in ("patient", "subject") and value.removeprefix("Patient/") != visit.chart.patient_id:
            raise Answer(403, "This token is for another patient.")
    narrow = {"category", "code", "_id"}
    if resource_type == "Observation" and hospital.config.rejects_unfiltered_observations and not names & narrow:
        raise Answer(400, "Observation searches here need a category or a code.", "too-costly")


def _found(visit: Visit, resource_type: str, parameters: search.Parameters) -> search.Found:
    try:
        if resource_type != "*":
            return search.run(visit.chart, resource_type, parameters, visit.permission)
        allowed = [t for t in visit.chart.by_type if visit.permission.may(t, search=False)]
        wanted = [(n, v) for n, v in parameters if n == "_lastUpdated"]
        wanted += [("_lastUpdated", f"ge{v}") for n, v in parameters if n == "_since"]
        asked = {t for n, v in parameters if n == "_type" for t in v.split(",")}
        rows = [r for t in allowed if not asked or t in asked
                for r in search.run(visit.chart, t, wanted, visit.permission).matches]  # fmt: skip
        return search.Found(rows, (), reverse_includes=False)
    except search.BadSearch as error:
        raise Answer(400, str(error)) from error


def _search(
    hospital: Hospital, visit: Visit, resource_type: str, parameters: search.Parameters, offset: int = 0
) -> Response:
    fault = hospital.faults.for_type("$everything" if resource_type == "*" else resource_type)
    broken = faults.answer_for(fault) if fault else None
    if broken is not None:
        return broken
    _checked(hospital, visit, resource_type, parameters)
    asked = next((v for n, v in parameters if n == "_count"), "")
    count = min(int(asked), _LARGEST_PAGE) if asked.isdigit() and int(asked) > 0 else hospital.config.page_size
    found = _found(visit, resource_type, parameters)
    page = found.matches[offset : offset + count]
    if page and hospital.faults.get("other_patient") in (True, resource_type):
        page = [*page, faults.stranger(page[-1])]
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(found.matches),
        "link": [{"relation": "self", "url": request.url}],
        "entry": search.page_entries(hospital.fhir_url, visit.chart, page, found, visit.permission),
    }
    fault_next = hospital.faults.get("next_link")
    if offset + count < len(found.matches) or (fault_next and fault_next != "relative"):
        state = hospital.keys.seal([visit.chart.patient_id, resource_type, list(parameters), offset + count])
        honest = f"{hospital.fhir_url}/_page/{state}"
        bundle["link"].append({"relation": "next", "url": faults.next_link(fault_next, honest, request.url)})
    if hospital.faults.get("incomplete") in (True, resource_type):
        bundle["entry"].append(_incomplete_notice())
    return fhir_json(bundle)


def _incomplete_notice() -> dict[str, Any]:
    text = "Some entries could not be expressed and were left out."
    issue = {"severity": "warning", "code": "incomplete", "diagnostics": text}
    return {"resource": {"resourceType": "OperationOutcome", "issue": [issue]}, "search": {"mode": "outcome"}}
