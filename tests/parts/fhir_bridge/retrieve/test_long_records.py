"""Long searches, retrievals that were killed, and what only `$everything` or an export gives, over real HTTP."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import orjson
from werkzeug import Request, Response

from fhir_bridge.retrieve.asking import Clock
from fhir_bridge.retrieve.chain import Mark
from fhir_bridge.retrieve.plan import plan_for
from fhir_bridge.retrieve.run import AT_ONCE_WHEN_SPLITTING, Before, Retrieved, Sinks, retrieve_all
from fhir_bridge.retrieve.states import State
from fhir_bridge.smart.scopes import granted
from tests.parts.fhir_bridge.retrieve.hospital_server import (
    NOW,
    Answer,
    Hospital,
    Kept,
    condition,
    hospital,
    outcome,
    refused,
    searchset,
)

__all__ = ["hospital"]

PAGE = 10


def statement(*types: str, operations: tuple[str, ...] = (), dates: bool = True) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [
        {"type": kind, "searchParam": [{"name": "date"}] if dates else []} for kind in types if kind != "Patient"
    ]
    rows.append({"type": "Patient", "operation": [{"name": name} for name in operations]})
    return {"resourceType": "CapabilityStatement", "rest": [{"mode": "server", "resource": rows}]}


class Labs:
    """A server of many results, newest first, some of them without a day; `reads_days`: whether it heeds ranges."""

    def __init__(self, hospital: Hospital, count: int, undated: int = 0, *, reads_days: bool = True) -> None:
        self.hospital, self.reads_days = hospital, reads_days
        start = date(2026, 11, 1)
        self.rows = [
            {"resourceType": "Observation", "id": f"o{n}", "subject": {"reference": "Patient/p1"},
             "effectiveDateTime": (start - timedelta(days=3 * n)).isoformat()}
            for n in range(count)
        ]  # fmt: skip
        self.rows += [
            {"resourceType": "Observation", "id": f"u{n}", "subject": {"reference": "Patient/p1"}}
            for n in range(undated)
        ]  # fmt: skip
        self.under_way, self.most = 0, 0
        self.lock = threading.Lock()

    def fetch(self, url: str, headers: Mapping[str, str]) -> Answer:
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        try:
            return self.hospital.fetch(url, headers)
        finally:
            with self.lock:
                self.under_way -= 1

    def answer(self, request: Request) -> Response:
        found = self.rows
        for value in request.args.getlist("date") if self.reads_days else []:
            day = value[2:]
            found = [
                one
                for one in found
                if (when := str(one.get("effectiveDateTime", ""))) and (when < day) == (value[:2] == "lt")
            ]
        if request.args.get("date:missing") == "true":
            found = [one for one in found if "effectiveDateTime" not in one]
        at = int(request.args.get("at", "0"))
        following = None
        if at + PAGE < len(found):
            pairs = [(name, value) for name, value in request.args.items(multi=True) if name != "at"]
            following = "?" + "&".join(f"{name}={value}" for name, value in [*pairs, ("at", str(at + PAGE))])
        body = searchset(*found[at : at + PAGE], next=following) | {"total": len(found)}
        return Response(orjson.dumps(body), mimetype="application/fhir+json")


def serve(hospital: Hospital, labs: Labs) -> None:
    """Let `labs` answer searches for results."""
    usual = hospital.answer

    def answer(request: Request) -> Response:
        if request.path == "/fhir/Observation":
            hospital.asked.append((request.full_path.removeprefix("/fhir/"), ""))
            return labs.answer(request)
        return usual(request)

    hospital.server.clear()
    hospital.server.expect_request("/fhir/Observation").respond_with_handler(answer)
    for path in ("/fhir/Patient/p1", "/fhir/metadata"):
        hospital.server.expect_request(path).respond_with_handler(answer)


def get(hospital: Hospital, scope: str, fetch: Any = None, **more: Any) -> tuple[Retrieved, Kept, list[Mark]]:
    kept, marks = Kept(), list[Mark]()
    done = retrieve_all(
        fetch or hospital.fetch,
        plan_for("p1", granted(scope)),
        hospital.base,
        Sinks(kept.on_page, kept.outcomes.append, None, marks.append),
        renew=hospital.renew,
        clock=Clock(lambda: NOW, hospital.slept.append, lambda: 0.5),
        **more,
    )
    return done, kept, marks


LABS = "patient/Patient.rs patient/Observation.rs"


def test_a_long_search_is_split_by_day(hospital: Hospital) -> None:
    """FHIR-05: asked for in ranges at once, each entry once, those without a day too; never too many."""
    hospital.answers["metadata"] = statement("Observation")
    labs = Labs(hospital, 300, undated=3)
    serve(hospital, labs)
    done, kept, _marks = get(hospital, LABS, labs.fetch)
    found = outcome(done, "Observation")
    assert (found.state, found.count, found.stopped_by) == (State.OK, 303, None)
    assert len(kept.ids) == 304
    asked = [path for path, _ in hospital.asked if path.startswith("Observation")]
    assert sum("date=" in path for path in asked) > 20
    assert sum("missing=true" in path or "missing%3Dtrue" in path for path in asked) == 1
    assert labs.most <= AT_ONCE_WHEN_SPLITTING


def test_a_server_that_ignores_days_is_followed_page_by_page(hospital: Hospital) -> None:
    """FHIR-05: ranges that are not heeded cost some questions, and no entry."""
    hospital.answers["metadata"] = statement("Observation")
    labs = Labs(hospital, 200, reads_days=False)
    serve(hospital, labs)
    done, _kept, _marks = get(hospital, LABS, labs.fetch)
    found = outcome(done, "Observation")
    assert (found.state, found.count) == (State.OK, 200)
    assert len(hospital.asked) < 60


def test_a_killed_retrieval_goes_on(hospital: Hospital) -> None:
    """FHIR-05: no page is asked for twice; a next link that has died begins its search anew."""
    for page in (1, 2, 3):
        name = "Condition" if page == 1 else f"Condition?page={page}"
        following = hospital.base + f"/Condition?page={page + 1}" if page < 3 else None
        hospital.answers[name] = searchset(condition(f"c{page}"), next=following)
    scope = "patient/Condition.rs patient/Goal.rs"
    _done, kept, marks = get(hospital, scope)
    middle = next(one for one in marks if one.next and one.next.endswith("page=3"))
    ended = next(one for one in marks if one.query.startswith("Goal"))
    had = [one for _kind, received in kept.pages for one in received if one.id in ("c1", "c2")]
    hospital.asked.clear()
    again = Before(marks={one.query: one for one in (middle, ended)}, had=had)
    done, kept, _marks = get(hospital, scope, before=again)
    assert [path for path, _ in hospital.asked if path != "metadata"] == ["Condition?page=3"]
    assert (outcome(done, "Condition").count, outcome(done, "Condition").pages) == (3, 3)
    assert outcome(done, "Goal").state is State.EMPTY
    assert kept.ids == ["Condition/c3"]
    hospital.answers["Condition?page=3"] = [refused(410, "deleted"), searchset(condition("c3"))]
    done, kept, _marks = get(hospital, scope, before=again)
    assert (outcome(done, "Condition").state, outcome(done, "Condition").count) == (State.OK, 3)


def test_everything_gives_what_no_search_gave(hospital: Hospital) -> None:
    """FHIR-15: asked for only where it is offered, and only for what is lacking; merged by type and id."""
    hospital.answers["Condition"] = searchset(condition("c1"))
    hospital.answers["Goal"] = refused(500, "exception")
    scope = "patient/Patient.rs patient/Condition.rs patient/Goal.rs patient/Flag.rs"
    get(hospital, scope)
    assert not any("everything" in path for path, _ in hospital.asked)
    hospital.answers["metadata"] = statement("Condition", "Goal", "Flag", operations=("everything",), dates=False)
    subject = {"subject": {"reference": "Patient/p1"}}
    hospital.answers["Patient/p1/$everything"] = searchset(
        condition("c1"), {"resourceType": "Goal", "id": "g1", **subject},
        {"resourceType": "Flag", "id": "f1", **subject},
        {"resourceType": "Goal", "id": "g9", "subject": {"reference": "Patient/p2"}},
    )  # fmt: skip
    hospital.asked.clear()
    done, kept, _marks = get(hospital, scope)
    asked = [path for path, _ in hospital.asked if "everything" in path]
    assert asked == ["Patient/p1/$everything?_type=Flag,Goal&_count=500"]
    assert (outcome(done, "Goal").state, outcome(done, "Goal").count) == (State.PARTIAL, 1)
    assert (outcome(done, "Flag").state, outcome(done, "Flag").count) == (State.OK, 1)
    assert kept.ids == ["Condition/c1", "Flag/f1", "Goal/g1", "Patient/p1"]
    assert [one.id for one in done.wrong_patient] == ["g9"]


def test_an_export_of_one_patient(hospital: Hospital) -> None:
    """FHIR-15: kicked off, waited for as told, its files read by lines, a bad line alone lost, nothing from outside."""
    hospital.answers["metadata"] = statement("Goal", operations=("export",), dates=False)
    hospital.answers["Goal"] = refused(500, "exception")
    place = {"Content-Location": hospital.base + "/bulk/1"}
    hospital.answers["Patient/p1/$export"] = Response(b"", status=202, headers=place)
    goals = {"type": "Goal", "url": hospital.base + "/bulk/1/goals"}
    elsewhere = {"type": "Goal", "url": "https://elsewhere.example/goals"}
    hospital.answers["bulk/1"] = [
        Response(b"", status=202, headers={"Retry-After": "3"}),
        {"output": [goals, elsewhere]},
    ]
    lines = [{"resourceType": "Goal", "id": f"g{n}", "subject": {"reference": "Patient/p1"}} for n in range(2)]
    hospital.answers["bulk/1/goals"] = b"\n".join([*map(orjson.dumps, lines), b'{"resourceType": "Goa'])
    done, kept, _marks = get(hospital, "patient/Patient.rs patient/Goal.rs")
    assert 3 in hospital.slept
    found = outcome(done, "Goal")
    assert (found.state, found.count) == (State.PARTIAL, 2)
    assert {one.reason for one in found.dropped} == {"not-a-resource", "part-failed"}
    assert kept.ids == ["Goal/g0", "Goal/g1", "Patient/p1"]
