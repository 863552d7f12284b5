"""A FHIR server for tests over real HTTP that answers what it is told to, and what a retrieval from it gave."""

from __future__ import annotations

import re
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
from fhir_bridge.retrieve.files import FetchedFile
from fhir_bridge.retrieve.page import Received
from fhir_bridge.retrieve.plan import Plan, plan_for
from fhir_bridge.retrieve.run import Retrieved, Sinks, retrieve_all
from fhir_bridge.retrieve.states import TypeOutcome
from fhir_bridge.smart.scopes import Restriction

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
    def may_read(self, type: str) -> bool:
        return True

    def search_filters(self, type: str) -> tuple[Restriction, ...]:
        return ((),)


@pytest.fixture
def hospital(httpserver: HTTPServer) -> Hospital:
    made = Hospital(httpserver)
    httpserver.expect_request("/elsewhere").respond_with_handler(
        lambda request: made.foreign.append(request.url) or Response("{}")  # type: ignore[func-returns-value]  # append answers None, so the or answers
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


CONDITIONS = "Condition?patient=p1&_count=500"
