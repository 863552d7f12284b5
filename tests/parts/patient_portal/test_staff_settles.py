"""Cases whose closing does something: a representative's paper, a death told of."""

from __future__ import annotations

from database.context import as_persons
from notifications.silence import is_silent
from patient_portal.wiring import now
from tests.parts.patient_portal.test_family import DEATH, STATEMENT, YES, give_number, mother_of_linh
from tests.support.actors import Visitor
from tests.support.portal import Portal, signed_in_client
from tests.support.staff_at_work import AtWork, at_work


def case_of(portal: Portal, kind: str, person: object) -> str:
    found = portal.rows("SELECT case_no, person_id FROM staff_task WHERE kind = :k", k=kind)
    return f"/staff/case/{next(row.case_no for row in found if row.person_id == person)}"


def taken(miguel: AtWork, path: str) -> str:
    assert miguel.post(path, do="take").status_code == 303
    return str(miguel.get(path).text)


def test_staff_accept_a_mothers_paper(portal: Portal) -> None:
    """HIP-15: staff read what was stated, on a case of their own; closing it opens the yes, and it is audited."""
    mother = mother_of_linh(portal)
    assert mother.post("/acting", STATEMENT).status_code == 303
    miguel, path = at_work(portal), case_of(portal, "authority-review", mother.person)
    assert "birth certificate" not in miguel.get(path).text
    assert "birth certificate" in taken(miguel, path)
    assert mother.post("/choices/efforts/living-well", YES).status_code == 403
    assert miguel.post(path, do="close", outcome="death-confirmed").status_code == 422
    assert miguel.post(path, do="close", outcome="paper-accepted").status_code == 303
    assert mother.post("/choices/efforts/living-well", YES | {"form": "after-staff-saw-it"}).status_code == 303
    told = portal.rows("SELECT event FROM audit_event WHERE person_id = :p", p=mother.person)
    assert "authority.confirmed" in {row.event for row in told}


def test_staff_confirm_a_death_or_put_it_right(portal: Portal) -> None:
    """HIP-16: a day is needed to confirm; a mistake brings messages back; nobody known, settled too."""
    own = signed_in_client(portal, "rv-p01", record=False)
    give_number(portal, own.person, DEATH["phone"])
    stranger = Visitor(portal, "stranger", portal.app.test_client())
    for phone in (DEATH["phone"], "414 555 0111"):
        assert stranger.post("/someone-died", DEATH | {"phone": phone}).status_code == 303
    miguel = at_work(portal)
    path = case_of(portal, "death-reported", own.person)
    assert "wife" in taken(miguel, path)
    assert miguel.post(path, do="close", outcome="death-confirmed").status_code == 422
    assert miguel.post(path, do="close", outcome="death-confirmed", died="not a day").status_code == 422
    assert miguel.post(path, do="close", outcome="nothing-to-do").status_code == 422  # it would stay silenced
    assert miguel.post(path, do="close", outcome="death-mistaken").status_code == 303
    with portal.wiring.database.begin(as_persons(own.person)) as session:
        assert not is_silent(session, own.person)
    other = case_of(portal, "death-reported", None)
    assert "555 0100" in taken(miguel, other)
    day = now().date().isoformat()
    assert miguel.post(other, do="close", outcome="death-confirmed", died=day).status_code == 303
    settled = portal.rows("SELECT outcome FROM death_report ORDER BY outcome")
    assert [row.outcome for row in settled] == ["confirmed", "mistaken"]
    assert portal.rows("SELECT count(*) AS n FROM person WHERE died_on IS NOT NULL")[0].n == 0


def test_who_was_found_dead_and_signs_in(portal: Portal) -> None:
    """HIP-16: a sign-in outlives its owner, so staff look; when the person is alive, yes can be given again."""
    own = signed_in_client(portal, "rv-p01", record=False)
    give_number(portal, own.person, DEATH["phone"])
    Visitor(portal, "stranger", portal.app.test_client()).post("/someone-died", DEATH)
    miguel, day = at_work(portal), now().date().isoformat()
    path = case_of(portal, "death-reported", own.person)
    taken(miguel, path)
    assert miguel.post(path, do="close", outcome="death-confirmed", died=day).status_code == 303
    owner = Visitor(portal, "owner", own.browser, own.person)
    yes = YES | {"form": "from-who-was-dead", "signed_name": "D J"}
    assert owner.post("/choices/efforts/living-well", yes).status_code == 403
    for _ in range(2):
        assert owner.post("/someone-died/mistake", {}).status_code == 303
    assert owner.post("/choices/efforts/living-well", yes).status_code == 403
    assert len(portal.rows("SELECT id FROM staff_task WHERE kind = 'death-disputed'")) == 1
    path = case_of(portal, "death-disputed", own.person)
    taken(miguel, path)
    assert miguel.post(path, do="close", outcome="person-alive").status_code == 303
    assert owner.post("/choices/efforts/living-well", yes).status_code == 303
