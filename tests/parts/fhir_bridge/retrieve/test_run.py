"""A whole retrieval against real HTTP: pages, refusals, renewal, waits, references and files."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import requests
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from fhir_bridge.retrieve.asking import Clock
from fhir_bridge.retrieve.files import FILE_CAP_BYTES, FetchedFile
from fhir_bridge.retrieve.page import Received
from fhir_bridge.retrieve.plan import EXTRA_TYPES, Plan, plan_for
from fhir_bridge.retrieve.run import Retrieved, Sinks, retrieve_all
from fhir_bridge.retrieve.states import State, TypeOutcome
from vocabulary.errors import Unavailable

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Hospital:
    """A FHIR server that answers what a test tells it to; everything else is an empty searchset."""

    server: HTTPServer
    asked: list[tuple[str, str]] = field(default_factory=list)
    token: str = "first"
    renewals: int = 0
    slept: list[float] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)

    @property
    def base(self) -> str:
        return str(self.server.url_for("/fhir"))

    def fetch(self, url: str, headers: Mapping[str, str]) -> Answer:
        if not url.startswith(self.base):
            self.foreign.append(url)
        answer = requests.get(
            url, headers={**headers, "Authorization": f"Bearer {self.token}"}, timeout=5, allow_redirects=False
        )
        return Answer(answer.status_code, answer.headers, answer.content)

    def answer(self, request: Request) -> Response:
        path = request.full_path.rstrip("?").removeprefix("/fhir/")
        self.asked.append((path, request.headers.get("Authorization", "")))
        told = self.answers.get(path) or self.answers.get(path.split("?")[0])
        if isinstance(told, list):
            told = told.pop(0) if len(told) > 1 else told[0]
        if isinstance(told, Response):
            return told
        if told is None:
            told = {"resourceType": "Patient", "id": "p1"} if path == "Patient/p1" else searchset()
        return Response(told if isinstance(told, bytes) else orjson.dumps(told), mimetype="application/fhir+json")

    def renew(self) -> bool:
        self.renewals += 1
        self.token = "second"
        return True


@dataclass
class Kept:
    pages: list[tuple[str, list[Received]]] = field(default_factory=list)
    outcomes: list[TypeOutcome] = field(default_factory=list)
    files: list[FetchedFile] = field(default_factory=list)
    inside: int = 0
    at_once: int = 0

    def on_page(self, kind: str, received: list[Received]) -> None:
        self.inside += 1
        self.at_once = max(self.at_once, self.inside)
        self.pages.append((kind, received))
        time.sleep(0.001)
        self.inside -= 1

    @property
    def ids(self) -> list[str]:
        return sorted(f"{one.type}/{one.id}" for _kind, received in self.pages for one in received)


class Everything:
    def may_search(self, type: str, category: str | None) -> bool:
        return True


@pytest.fixture
def hospital(httpserver: HTTPServer) -> Hospital:
    made = Hospital(httpserver)
    httpserver.expect_request("/elsewhere").respond_with_handler(
        lambda request: made.foreign.append(request.url) or Response("{}")  # type: ignore[func-returns-value]
    )
    httpserver.expect_request(re.compile("/fhir.*")).respond_with_handler(made.answer)
    return made


def searchset(*resources: dict[str, Any], next: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "total": 999}
    found["entry"] = [{"resource": one} for one in resources]
    if next is not None:
        found["link"] = [{"relation": "next", "url": next}]
    return found


def condition(identity: str, patient: str = "p1", **more: Any) -> dict[str, Any]:
    return {"resourceType": "Condition", "id": identity, "subject": {"reference": f"Patient/{patient}"}, **more}


def run(hospital: Hospital, plan: Plan | None = None, files: bool = False) -> tuple[Retrieved, Kept]:
    kept = Kept()
    clock = Clock(lambda: NOW, hospital.slept.append, lambda: 0.5)
    sinks = Sinks(kept.on_page, kept.outcomes.append, kept.files.append if files else None)
    done = retrieve_all(
        hospital.fetch, plan or plan_for("p1", Everything()), hospital.base, sinks, renew=hospital.renew, clock=clock
    )
    return done, kept


def outcome(done: Retrieved, kind: str) -> TypeOutcome:
    return next(one for one in done.outcomes if one.type == kind)


def refused(status: int, code: str = "forbidden", **headers: str) -> Response:
    body = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]}
    return Response(orjson.dumps(body), status=status, headers=headers, mimetype="application/fhir+json")


CONDITIONS = "Condition?patient=p1&_count=200"


def test_three_pages_with_relative_next(hospital: Hospital) -> None:
    """FHIR-05: three pages, absolute then relative next, the total ignored; the patient is read first."""
    hospital.answers[CONDITIONS] = searchset(condition("c1"), next=hospital.base + "/Condition?page=2")
    hospital.answers["Condition?page=2"] = searchset(condition("c2"), next="?page=3")
    hospital.answers["Condition?page=3"] = searchset(condition("c3"))
    done, kept = run(hospital)
    assert hospital.asked[0][0] == "Patient/p1"
    found = outcome(done, "Condition")
    assert (found.state, found.count, found.pages, found.stopped_by) == (State.OK, 3, 3, None)
    assert kept.ids == ["Condition/c1", "Condition/c2", "Condition/c3", "Patient/p1"]
    assert {one.type for one in kept.outcomes} == {one.type for one in done.outcomes}
    assert kept.at_once == 1


def test_foreign_next_gets_nothing(hospital: Hospital) -> None:
    """LIB-02: a next link elsewhere is not followed, the token stays home, the list is named partial."""
    elsewhere = hospital.server.url_for("/elsewhere").replace("localhost", "127.0.0.1")
    hospital.answers[CONDITIONS] = searchset(condition("c1"), next=elsewhere)
    done, _kept = run(hospital)
    found = outcome(done, "Condition")
    assert (found.state, found.count, found.stopped_by) == (State.PARTIAL, 1, "next-link-elsewhere")
    assert hospital.foreign == []


def test_a_loop_ends(hospital: Hospital) -> None:
    """FHIR-05: a server whose pages point at each other is stopped and named partial."""
    hospital.answers[CONDITIONS] = searchset(condition("c1"), next=hospital.base + "/Condition?page=2")
    hospital.answers["Condition?page=2"] = searchset(condition("c2"), next=hospital.base + "/" + CONDITIONS)
    done, _kept = run(hospital)
    found = outcome(done, "Condition")
    assert (found.state, found.count, found.stopped_by) == (State.PARTIAL, 2, "next-link-repeats")


def test_a_broken_second_page_is_partial(hospital: Hospital) -> None:
    """FHIR-10: what came before a failure is kept, and the list is named partial."""
    hospital.answers[CONDITIONS] = searchset(condition("c1"), next=hospital.base + "/Condition?page=2")
    hospital.answers["Condition?page=2"] = b'{"resourceType": "Bundle", "entry": [{"reso'
    done, kept = run(hospital)
    found = outcome(done, "Condition")
    assert (found.state, found.count, found.stopped_by) == (State.PARTIAL, 1, "truncated")
    assert "Condition/c1" in kept.ids


def test_each_type_has_its_own_state(hospital: Hospital) -> None:
    """FHIR-10: refused, missing, broken and empty types stand apart, and none blanks another."""
    hospital.answers["Condition"] = searchset(condition("c1"))
    hospital.answers["Goal"] = refused(403)
    hospital.answers["CareTeam"] = refused(404, "not-found")
    hospital.answers["Device"] = refused(500, "exception")
    hospital.answers["Coverage"] = b"<html>Log in</html>"
    hospital.answers["ImagingStudy"] = refused(400, "invalid")
    states = {one.type: one.state for one in run(hospital)[0].outcomes}
    assert states["Condition"] is State.OK
    assert states["Goal"] is State.NOT_AUTHORIZED
    assert states["CareTeam"] is State.NOT_SUPPORTED
    assert states["Device"] is State.FAILED
    assert states["Coverage"] is State.FAILED
    assert states["ImagingStudy"] is State.NOT_SUPPORTED
    assert states["Immunization"] is State.EMPTY


def test_categories_when_unfiltered_is_refused(hospital: Hospital) -> None:
    """FHIR-03: a server that rejects the unfiltered search still yields everything, by category."""
    lab = {"resourceType": "Observation", "id": "o1", "subject": {"reference": "Patient/p1"}}
    hospital.answers["Observation"] = refused(400, "required")
    for category in ("laboratory", "vital-signs"):
        hospital.answers[f"Observation?patient=p1&category={category}&_count=200"] = searchset(
            {**lab, "id": category}, lab
        )
    done, kept = run(hospital)
    found = outcome(done, "Observation")
    assert found.count == 3
    assert found.state is State.PARTIAL  # the categories that were refused too may hold more
    assert {"Observation/laboratory", "Observation/o1", "Observation/vital-signs"} <= set(kept.ids)


def test_renewed_once_for_all(hospital: Hospital) -> None:
    """SMART-48: a 401 renews the token at most once in the whole retrieval, however many threads meet it."""
    lock = threading.Lock()

    def fetch(url: str, headers: Mapping[str, str]) -> Answer:
        with lock:
            token = hospital.token
        if token == "first":
            return Answer(401, {}, b"")
        return hospital.fetch(url, headers)

    kept = Kept()
    clock = Clock(lambda: NOW, hospital.slept.append, lambda: 0.5)
    done = retrieve_all(
        fetch, plan_for("p1", Everything()), hospital.base, Sinks(kept.on_page), renew=hospital.renew, clock=clock
    )
    assert hospital.renewals == 1
    assert not done.token_refused
    assert outcome(done, "Patient").state is State.OK


def test_a_token_refused_after_renewal(hospital: Hospital) -> None:
    """SMART-48: still refused after one renewal, nothing loops and the person is to connect again."""
    asked: list[str] = []

    def fetch(url: str, headers: Mapping[str, str]) -> Answer:
        asked.append(url)
        return Answer(401, {}, b"")

    clock = Clock(lambda: NOW, hospital.slept.append, lambda: 0.5)
    plan = plan_for("p1", Everything())
    done = retrieve_all(fetch, plan, hospital.base, Sinks(Kept().on_page), renew=hospital.renew, clock=clock)
    assert hospital.renewals == 1
    assert done.token_refused
    assert {one.state for one in done.outcomes if one.http_status} == {State.NOT_AUTHORIZED}
    assert len(asked) <= 2 * (len(plan.types) + 1)


def test_forbidden_is_not_renewed(hospital: Hospital) -> None:
    """SMART-48: 403 asks for no new token."""
    hospital.answers["Goal"] = refused(403)
    run(hospital)
    assert hospital.renewals == 0
    assert sum(path.startswith("Goal") for path, _ in hospital.asked) == 1


def test_retry_after_is_obeyed(hospital: Hospital) -> None:
    """FHIR-09: told to wait, it waits as told and asks again."""
    hospital.answers[CONDITIONS] = [
        refused(429, "throttled", **{"Retry-After": "7"}),
        refused(503, "transient"),
        searchset(condition("c1")),
    ]
    done, _kept = run(hospital)
    assert outcome(done, "Condition").state is State.OK
    assert hospital.slept == [7.0, 1.0]


def test_waiting_has_a_budget(hospital: Hospital) -> None:
    """FHIR-09: told to wait for hours, it gives up and says so."""
    hospital.answers["Condition"] = refused(429, "throttled", **{"Retry-After": "86400"})
    done, _kept = run(hospital)
    assert outcome(done, "Condition").state is State.FAILED
    assert hospital.slept == []


def test_no_answer_is_a_failure(hospital: Hospital) -> None:
    """FHIR-10: a hospital that is down fails every type and raises nothing."""

    def fetch(url: str, headers: Mapping[str, str]) -> Answer:
        raise Unavailable("connection-refused")

    clock = Clock(lambda: NOW, hospital.slept.append, lambda: 0.5)
    done = retrieve_all(
        fetch, plan_for("p1", Everything()), hospital.base, Sinks(Kept().on_page), renew=hospital.renew, clock=clock
    )
    searched = [one for one in done.outcomes if one.type not in plan_for("p1", Everything()).referenced]
    assert {one.state for one in searched} == {State.FAILED}


def test_another_patients_entries_are_not_kept(hospital: Hospital) -> None:
    """FHIR-17: entries of another patient reach no sink and stand in the result for the alarm."""
    hospital.answers["Condition"] = searchset(condition("c1"), condition("x", "p2"))
    hospital.answers["Goal"] = searchset({"resourceType": "Goal", "id": "g", "subject": {"reference": "Patient/p2"}})
    done, kept = run(hospital)
    assert "Condition/x" not in kept.ids
    assert [(one.type, one.id) for one in done.wrong_patient] == [("Condition", "x"), ("Goal", "g")]
    assert outcome(done, "Goal").state is State.PARTIAL
    assert outcome(done, "Condition").state is State.OK


def test_copies_of_one_entry(hospital: Hospital) -> None:
    """FHIR-06: the same entry twice is kept once; a newer copy replaces it; an older one is named."""
    old, new = {"lastUpdated": "2025-01-01T00:00:00Z"}, {"lastUpdated": "2026-01-01T00:00:00Z"}
    hospital.answers["Condition"] = searchset(
        condition("c1", meta=old), condition("c1", meta=old), condition("c1", meta=new), condition("c1", meta=old, x=1)
    )
    done, kept = run(hospital)
    assert kept.ids.count("Condition/c1") == 2
    assert outcome(done, "Condition").count == 1
    assert [one.reason for one in outcome(done, "Condition").dropped] == ["older-copy"]


def test_referenced_resources_are_read(hospital: Hospital) -> None:
    """FHIR-01: persons and places are read by reference, in two rounds, on the same server only."""
    hospital.answers["Condition"] = searchset(
        condition("c1", asserter={"reference": "PractitionerRole/r1"}),
        condition("c2", asserter={"reference": "https://elsewhere.example/fhir/Practitioner/d9"}),
        condition("c3", asserter={"reference": hospital.base + "/Practitioner/d1"}),
        condition("c4", asserter={"reference": "Practitioner/gone"}),
    )
    hospital.answers["PractitionerRole/r1"] = {
        "resourceType": "PractitionerRole", "id": "r1", "organization": {"reference": "Organization/o1"},
    }  # fmt: skip
    hospital.answers["Organization/o1"] = {"resourceType": "Organization", "id": "o1"}
    hospital.answers["Practitioner/d1"] = {"resourceType": "Practitioner", "id": "d1"}
    hospital.answers["Practitioner/gone"] = refused(404, "not-found")
    done, kept = run(hospital)
    assert {"PractitionerRole/r1", "Organization/o1", "Practitioner/d1"} <= set(kept.ids)
    assert outcome(done, "Organization").state is State.OK
    assert outcome(done, "Practitioner").state is State.PARTIAL
    assert outcome(done, "Location").state is State.EMPTY
    assert hospital.foreign == []


def document(identity: str, **attachment: Any) -> dict[str, Any]:
    return {
        "resourceType": "DocumentReference", "id": identity, "subject": {"reference": "Patient/p1"},
        "content": [{"attachment": {"contentType": "application/pdf", **attachment}}],
    }  # fmt: skip


def test_files_are_fetched_and_checked(hospital: Hospital) -> None:
    """FHIR-11: raw and as a Binary, relative and absolute, each once; size and hash are checked; caps hold."""
    pdf = b"%PDF-1.4 a report"
    sha1 = base64.b64encode(hashlib.sha1(pdf, usedforsecurity=False).digest()).decode()
    report = {
        "resourceType": "DiagnosticReport", "id": "r1", "subject": {"reference": "Patient/p1"},
        "presentedForm": [{"contentType": "application/pdf", "url": "Binary/b1"}],
    }  # fmt: skip
    hospital.answers["DiagnosticReport"] = searchset(report)
    hospital.answers["DocumentReference"] = searchset(
        document("d1", url=hospital.base + "/Binary/b1", size=len(pdf), hash=sha1),
        document("d2", url="Binary/b2", size=3),
        document("d3", url="Binary/b3", size=FILE_CAP_BYTES + 1),
        document("d4", url="https://elsewhere.example/Binary/b4"),
        document("d5", url="Binary/b5"),
    )
    hospital.answers["Binary/b1"] = Response(pdf, mimetype="application/pdf")
    hospital.answers["Binary/b2"] = {
        "resourceType": "Binary", "id": "b2", "contentType": "application/pdf", "data": base64.b64encode(pdf).decode(),
    }  # fmt: skip
    hospital.answers["Binary/b5"] = refused(403)
    _done, kept = run(hospital, files=True)
    found = {one.link.url.rsplit("/", 1)[1]: one for one in kept.files}
    assert set(found) == {"b1", "b2", "b3", "b5"}
    assert (found["b1"].body, found["b1"].problems) == (pdf, ())
    assert (found["b2"].body, found["b2"].problems) == (pdf, ("size-differs",))
    assert (found["b3"].body, found["b3"].missing) == (None, "too-large")
    assert (found["b5"].body, found["b5"].missing) == (None, "not-authorized")
    assert sum(path.startswith("Binary/b1") for path, _ in hospital.asked) == 1
    assert not any(path.startswith("Binary/b3") for path, _ in hospital.asked)


def test_nothing_is_asked_beyond_the_scopes(hospital: Hospital) -> None:
    """FHIR-10: a type that was not granted is not asked for and is named as not authorized."""

    class OnlyConditions:
        def may_search(self, type: str, category: str | None) -> bool:
            return type == "Condition"

    done, _kept = run(hospital, plan_for("p1", OnlyConditions()))
    assert [path for path, _ in hospital.asked] == [CONDITIONS]
    assert outcome(done, "Patient").state is State.NOT_AUTHORIZED
    assert all(outcome(done, kind).state is State.NOT_AUTHORIZED for kind in EXTRA_TYPES)
