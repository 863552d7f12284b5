"""A whole retrieval against real HTTP: pages, refusals, renewal and waits."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from fhir_bridge.retrieve.asking import Clock
from fhir_bridge.retrieve.plan import plan_for
from fhir_bridge.retrieve.run import Sinks, retrieve_all
from fhir_bridge.retrieve.states import State
from tests.parts.fhir_bridge.retrieve.hospital_server import (
    CONDITIONS,
    NOW,
    Answer,
    Everything,
    Hospital,
    Kept,
    condition,
    hospital,
    outcome,
    refused,
    run,
    searchset,
)
from vocabulary.errors import Unavailable

__all__ = ["hospital"]


def test_three_pages_with_relative_next(hospital: Hospital) -> None:
    """FHIR-05: three pages, absolute then relative next, the total ignored; no search before what the server offers."""
    hospital.answers[CONDITIONS] = searchset(condition("c1"), next=hospital.base + "/Condition?page=2")
    hospital.answers["Condition?page=2"] = searchset(condition("c2"), next="?page=3")
    hospital.answers["Condition?page=3"] = searchset(condition("c3"))
    done, kept = run(hospital)
    asked = [path for path, _ in hospital.asked]
    assert asked.index("metadata") <= 1
    assert "Patient/p1" in asked
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
        hospital.answers[f"Observation?patient=p1&category={category}&_count=500"] = searchset(
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
    assert len(asked) <= 2 * (len(plan.types) + 1) + 1


def test_a_long_retrieval_outlives_its_tokens(hospital: Hospital) -> None:
    """SMART-48: each token that worked and ended is renewed once, in answer to a 401."""
    served = {"count": 0}

    def fetch(url: str, headers: Mapping[str, str]) -> Answer:
        served["count"] += 1
        if served["count"] % 10 == 0:
            return Answer(401, {}, b"")
        return hospital.fetch(url, headers)

    clock = Clock(lambda: NOW, hospital.slept.append, lambda: 0.5)
    plan = plan_for("p1", Everything())
    done = retrieve_all(fetch, plan, hospital.base, Sinks(Kept().on_page), renew=hospital.renew, clock=clock, at_once=1)
    assert hospital.renewals == served["count"] // 10 > 1
    assert State.NOT_AUTHORIZED not in {one.state for one in done.outcomes}


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


def test_the_same_copy_twice_is_no_news(hospital: Hospital) -> None:
    """FHIR-06: an entry that comes twice unchanged is kept once and nothing is said of it."""
    hospital.answers["Condition"] = searchset(condition("c1"), condition("c1"))
    done, kept = run(hospital)
    assert kept.ids.count("Condition/c1") == 1
    assert outcome(done, "Condition").dropped == ()


def offering(*types: str) -> dict[str, object]:
    rows = [{"type": name, "searchRevInclude": ["Provenance:target"]} for name in types]
    return {"resourceType": "CapabilityStatement", "rest": [{"mode": "server", "resource": rows}]}


def test_provenance_comes_beside_what_it_is_about(hospital: Hospital) -> None:
    """FHIR-08, FHIR-10: brought in by `_revinclude` where there is no search for it, and then not called missing."""
    provenance = {"resourceType": "Provenance", "id": "v1", "target": [{"reference": "Condition/c1"}]}
    hospital.answers["metadata"] = offering("Condition")
    hospital.answers[f"{CONDITIONS}&_revinclude=Provenance%3Atarget"] = searchset(condition("c1"), provenance)
    hospital.answers["Provenance"] = refused(404, "not-supported")
    done, kept = run(hospital)
    assert {"Condition/c1", "Provenance/v1"} <= set(kept.ids)
    assert (outcome(done, "Condition").count, outcome(done, "Condition").included) == (1, 1)
    assert (outcome(done, "Provenance").state, outcome(done, "Provenance").count) == (State.OK, 1)
    assert outcome(done, "Provenance") in kept.outcomes


def test_a_server_that_only_says_it_takes_revinclude(hospital: Hospital) -> None:
    """FHIR-08: refused with it, the same search is asked without it."""
    hospital.answers["metadata"] = offering("Condition")
    hospital.answers[f"{CONDITIONS}&_revinclude=Provenance%3Atarget"] = refused(400, "not-supported")
    hospital.answers[CONDITIONS] = searchset(condition("c1"))
    done, _kept = run(hospital)
    assert (outcome(done, "Condition").state, outcome(done, "Condition").count) == (State.OK, 1)
    assert outcome(done, "Condition").notices == ()
    assert not any("_revinclude" in path for path, _ in hospital.asked if path.startswith("Goal"))
