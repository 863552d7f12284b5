"""CancerLinQ's staff: the queue without names, a case of one's own, glass broken, two persons, letters, reports."""

from __future__ import annotations

import re
from uuid import UUID, uuid4

import pytest
from sqlalchemy import create_engine, text

from database.context import as_staff
from database.unit_of_work import sqlalchemy_url
from patient_portal.staff.openings import read_openings
from tests.support.portal import Client, Portal, signed_in_client
from tests.support.staff_at_work import LEAD, AtWork, at_work

NAME, NUMBER = "Alvarez", "RV-104233"


@pytest.fixture
def maria(portal: Portal) -> Client:
    """A patient who opted out."""
    client = signed_in_client(portal, "rv-p01")
    assert client.post("/choices/cancerlinq", {"answer": "no", "form": "a-form-of-maria-1"}).status_code == 303
    return client


@pytest.fixture
def miguel(portal: Portal) -> AtWork:
    return at_work(portal)


@pytest.fixture
def dana(portal: Portal) -> AtWork:
    return at_work(portal, LEAD)


def run(portal: Portal, statement: str, **values: object) -> None:
    engine = create_engine(sqlalchemy_url(portal.database.superuser_url))
    with engine.begin() as connection:
        connection.execute(text(statement), values)
    engine.dispose()


def add_case(portal: Portal, kind: str = "tell-the-person", person: UUID | None = None, **more: object) -> int:
    case = uuid4()
    run(
        portal,
        "INSERT INTO staff_task (id, person_id, practice_id, store_id, kind, detail, opened_at)"
        " VALUES (:id, :person, :practice, :store, :kind, '{}', now())",
        id=case, person=person, practice=more.get("practice"), store=more.get("store"), kind=kind,
    )  # fmt: skip
    (row,) = portal.rows("SELECT case_no FROM staff_task WHERE id = :id", id=case)
    return int(row.case_no)


def test_a_case_from_the_queue_to_its_end(portal: Portal, maria: Client, miguel: AtWork, dana: AtWork) -> None:
    """SEC-08, HIP-25: no name before a case is one's own; note, passing on, closing; the person sees who looked."""
    case = add_case(portal, person=maria.person, practice="riverside-main")
    strange = add_case(portal, "something-new")
    page = miguel.get("/staff").text
    assert f"/staff/case/{case}" in page
    assert f"/staff/case/{strange}" in page
    assert "Something for a person to settle" in page
    path = f"/staff/case/{case}"
    for reader in (miguel, dana):
        assert NUMBER not in reader.get(path).text
        assert NAME not in reader.get(path).text
    assert miguel.post(path, do="note", words="Too early").status_code == 403
    assert miguel.post(path, do="take").status_code == 303
    mine = miguel.get(path).text
    assert NUMBER in mine
    assert NAME in mine
    assert NAME not in dana.get(path).text
    dana.post(path, do="take")
    assert "A colleague was faster" in dana.get(path).text
    assert NAME not in dana.get(path).text
    away = add_case(portal, person=maria.person)
    miguel.post(f"/staff/case/{away}", do="take")
    assert "Take it over from" not in miguel.get(f"/staff/case/{case}").text
    assert "Take it over from Miguel Ortega" in dana.get(f"/staff/case/{away}").text
    assert dana.post(f"/staff/case/{away}", do="take-over").status_code == 303  # a lead, for whoever is not there
    assert NAME in dana.get(f"/staff/case/{away}").text
    assert NAME not in miguel.get(f"/staff/case/{away}").text
    assert miguel.post(f"/staff/case/{away}", do="take-over").status_code == 403
    assert miguel.post(path, do="note", words="Left a message for Alvarez").status_code == 303
    assert "Left a message" not in dana.get(path).text
    (to,) = re.findall(r'<option value="([0-9a-f-]{36})"', miguel.get(path).text)
    assert miguel.post(path, do="pass-on", to=to, words="She asked for you").status_code == 303
    assert NAME not in miguel.get(path).text
    assert f"/staff/case/{case}" in dana.get("/staff?whose=passed-to-me").text
    dana.post(path, do="take")
    assert "Left a message for Alvarez" in dana.get(path).text
    assert dana.post(path, do="close", outcome="burnt").status_code == 422
    too_long = dana.post(path, do="close", outcome="person-told", words="a" * 2001)
    assert too_long.status_code == 422  # nothing is cut without saying so
    assert "at most 2000 characters" in too_long.text
    assert dana.post(path, do="close", outcome="person-told").status_code == 303
    assert f"/staff/case/{case}" not in dana.get("/staff").text
    assert NAME not in dana.get(path).text
    (row,) = portal.rows("SELECT outcome, closed_by FROM staff_task WHERE case_no = :c", c=case)
    assert row.outcome == "person-told"
    sealed = portal.rows("SELECT words_sealed FROM staff_task_event WHERE words_sealed IS NOT NULL")
    assert not any(b"Alvarez" in bytes(one.words_sealed) for one in sealed)
    used = maria.get("/activity/uses?kind=staff").text
    assert "Opened a case about you" in used
    assert "Miguel Ortega" in used
    assert maria.get("/activity/uses/list.csv").text.count("CancerLinQ staff") >= 2
    assert "Our staff worked on a case about you" in maria.get("/activity").text


def test_glass_is_broken_with_a_reason_and_seen(portal: Portal, maria: Client, miguel: AtWork, dana: AtWork) -> None:
    """SEC-08: a page without a case needs a reason; the person and the leads see it at once; it closes by itself."""
    assert maria.post("/notifications/letters", {"postal": "Maria Alvarez\n1 Main St"}).status_code == 303
    assert maria.post("/notifications/topics", {"seen": "letter"}).status_code == 303
    form = {"provider": "riverside", "number": NUMBER, "why": "She called about her letter."}
    assert miguel.post("/staff/find", **(form | {"why": "x"})).status_code == 422
    assert "Nobody is known" in miguel.post("/staff/find", **(form | {"number": "RV-none"})).text
    opened = miguel.post("/staff/find", **form)
    assert opened.status_code == 303, opened.text
    page = miguel.get(opened.headers["Location"])
    assert NAME in page.text
    assert dana.get(opened.headers["Location"]).status_code == 404
    assert "Opened your page without a case of theirs" in maria.get("/activity/uses").text
    assert "Miguel Ortega" in maria.get("/activity").text
    assert [(row.channel, row.kind) for row in portal.rows("SELECT * FROM message")] == [("letter", "update")]
    waits = '<a href="/staff/openings">Opened without a case</a></span><span class="number">{}<'
    assert waits.format(1) in dana.get("/staff").text
    listed = dana.get("/staff/openings").text
    assert "She called about her letter." in listed
    assert NAME not in listed
    assert miguel.get("/staff/openings").status_code == 403
    for practice, many in (("riverside-main", 1), ("lakeside-main", 0)):  # leads of another practice see nothing of it
        with portal.database.web.begin(as_staff((practice,), uuid4())) as session:
            assert len(read_openings(session, portal.wiring.keyring)) == many
    (row,) = portal.rows("SELECT id, why_sealed FROM staff_opening")
    assert b"letter" not in bytes(row.why_sealed)
    assert dana.post(f"/staff/openings/{row.id}").status_code == 303
    assert dana.post(f"/staff/openings/{row.id}").status_code == 404
    assert waits.format(0) in dana.get("/staff").text
    assert "/staff/openings" not in miguel.get("/staff").text
    run(portal, "UPDATE staff_opening SET until = now() - interval '1 second'")
    assert miguel.get(opened.headers["Location"]).status_code == 404
    case = add_case(portal, person=maria.person)
    assert miguel.post(f"/staff/case/{case}/open", why="").headers["Location"].endswith(f"/case/{case}")
    again = miguel.post(f"/staff/case/{case}/open", why="The colleague is away today.")
    assert NAME in miguel.get(again.headers["Location"]).text


def test_what_touches_many_takes_two(portal: Portal, miguel: AtWork, dana: AtWork) -> None:
    """SEC-08: nobody allows their own request; until another does, nothing is closed; then all of them are, once."""
    whose = uuid4()
    about = (None, whose, None)
    many = [add_case(portal, "store-drift", person, store="tempus") for person in about]
    dana.post(f"/staff/case/{many[0]}", do="take")
    ask = {"do": "close-many", "kind": "store-drift", "store": "tempus", "outcome": "settled-at-store"}
    assert miguel.post("/staff/requests", **ask, why="short").status_code == 422
    for kind in ("", "death-reported", "store-parked"):  # none, one that is weighed each time, none open
        assert miguel.post("/staff/requests", **(ask | {"kind": kind}), why="A good reason.").status_code == 422
    assert miguel.post("/staff/requests", **ask, why="Tempus corrected its copy.").status_code == 303
    (row,) = portal.rows("SELECT id, cardinality(tasks) AS many FROM staff_request")
    assert row.many == 2
    miguel.post(f"/staff/requests/{row.id}", answer="yes")
    assert portal.rows("SELECT count(*) AS n FROM staff_task WHERE closed_at IS NULL")[0].n == 3
    assert "A colleague has to decide" in miguel.get("/staff/requests").text
    assert dana.post(f"/staff/requests/{row.id}", answer="yes").status_code == 303
    assert portal.rows("SELECT count(*) AS n FROM staff_task WHERE closed_at IS NULL")[0].n == 1
    assert portal.rows("SELECT count(*) AS n FROM staff_task_event WHERE kind = 'closed-by-two'")[0].n == 2
    (line,) = portal.rows("SELECT * FROM audit_event WHERE person_id = :p", p=whose)  # as for one closed alone
    assert (line.event, line.actor_kind, line.actor_reference) == ("staff-task.changed", "staff", "Miguel Ortega")
    assert line.detail == {"what": "closed-by-two", "case": many[1], "outcome": "settled-at-store"}
    assert dana.post(f"/staff/requests/{row.id}", answer="no").status_code == 409
    miguel.post("/staff/requests", do="tell-again", store="tempus", why="It lost a day of messages.")
    (row,) = portal.rows("SELECT id FROM staff_request WHERE kind = 'tell-again'")
    assert dana.post(f"/staff/requests/{row.id}", answer="yes").status_code == 303
    (job,) = portal.rows("SELECT args FROM procrastinate_jobs WHERE task_name LIKE '%tell-store-again'")
    assert job.args == {"request": str(row.id)}
