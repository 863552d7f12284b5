"""Cases whose closing does something: a representative's paper, a death told of."""

from __future__ import annotations

from uuid import uuid4

from consent.person_identity import Alias, add_alias
from database.context import as_persons
from notifications.silence import is_silent
from patient_portal.wiring import now
from tests.parts.patient_portal.test_family import DEATH, STATEMENT, YES, give_number, mother_of_linh
from tests.support.actors import Visitor
from tests.support.portal import Portal, signed_in_client
from tests.support.staff_at_work import AtWork, at_work

MRN = Alias("riverside", "urn:oid:2.16.840.1.113883.19.5", "RV-104233")


def case_of(portal: Portal, kind: str, person: object, *, is_open: bool = False) -> str:
    found = portal.rows("SELECT case_no, person_id, closed_at FROM staff_task WHERE kind = :k", k=kind)
    theirs = [row for row in found if row.person_id == person and not (is_open and row.closed_at)]
    return f"/staff/case/{theirs[0].case_no}"


def taken(miguel: AtWork, path: str) -> str:
    assert miguel.post(path, do="take").status_code == 303
    return str(miguel.get(path).text)


def test_staff_accept_a_mothers_paper(portal: Portal) -> None:
    """HIP-15: staff read what was stated, on a case of their own; closing it opens the yes, and it is audited."""
    mother = mother_of_linh(portal)
    assert mother.post("/acting", STATEMENT).status_code == 303
    miguel, path = at_work(portal), case_of(portal, "authority-review", mother.person)
    assert "birth certificate" not in miguel.get(path).text
    mine = taken(miguel, path)
    assert "birth certificate" in mine
    assert "September 5, 2028" in mine
    assert "617 555 0150" in mine  # without it nobody could ask her to show the paper
    assert mother.post("/choices/efforts/living-well", YES).status_code == 403
    assert miguel.post(path, do="close", outcome="death-confirmed").status_code == 422
    assert miguel.post(path, do="close", outcome="paper-accepted").status_code == 303
    assert mother.post("/choices/efforts/living-well", YES | {"form": "after-staff-saw-it"}).status_code == 303
    told = portal.rows("SELECT event FROM audit_event WHERE person_id = :p", p=mother.person)
    assert "authority.confirmed" in {row.event for row in told}
    ended_by_staff(portal, miguel, mother)


def ended_by_staff(portal: Portal, miguel: AtWork, mother: Visitor) -> None:
    """HIP-15 (g)(5): on a case, on a page opened without one, or with the case itself: no older paper survives it."""
    (first,) = portal.rows("SELECT id FROM authority WHERE person_id = :p", p=mother.person)
    assert mother.post("/acting", STATEMENT | {"form": "the-mothers-second"}).status_code == 303
    path = case_of(portal, "authority-review", mother.person, is_open=True)
    assert "Who acts for this person" in taken(miguel, path)
    act = {"do": "end-authority", "authority": str(first.id)}
    assert miguel.post(path, **act).status_code == 422  # a reason is needed
    assert mother.get("/record").status_code == 200
    assert miguel.post(path, **act, words="She called the help line.").status_code == 303
    assert mother.get("/record").headers["Location"] == "/acting"
    assert miguel.post(path, do="end-authority", authority=str(uuid4()), words="Nobody's.").status_code == 404
    assert miguel.post(path, do="close", outcome="person-at-risk").status_code == 303
    assert mother.post("/acting", STATEMENT | {"form": "the-mothers-third"}).status_code == 303
    assert mother.get("/record").headers["Location"] == "/acting"  # her own word opens nothing now
    opened = miguel.post(f"{path}/open", why="She called again about it.").headers["Location"]
    (third,) = portal.rows("SELECT id FROM authority WHERE form = 'the-mothers-third'")
    assert str(third.id) in miguel.get(opened).text
    for said in ("no paper of theirs", "had ended already"):
        assert miguel.post(f"{opened}/authority/{third.id}/end").status_code == 303
        assert said in miguel.get(opened).text
    steps = portal.rows("SELECT step, by_kind FROM authority_step WHERE person_id = :p ORDER BY id", p=mother.person)
    assert [row.step for row in steps if row.by_kind == "staff"] == ["confirmed", "ended", "ended", "refused", "ended"]


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
    add_alias(portal.wiring.database, portal.wiring.keyring, own.person, MRN, now())
    about = {"do": "is-about", "provider": "riverside", "number": MRN.value}
    assert miguel.post(path, **about).status_code == 403  # it is closed, and named somebody
    assert miguel.post(other, **(about | {"number": "RV-none"})).status_code == 422
    assert miguel.post(other, **about).status_code == 303
    assert "wife" in miguel.get(other).text
    with portal.wiring.database.begin(as_persons(own.person)) as session:
        assert is_silent(session, own.person)  # whoever told us knew no number of theirs
    assert miguel.post(other, **about).status_code == 303
    assert "A colleague was faster" in miguel.get(other).text
    assert miguel.post(other, do="close", outcome="death-confirmed", died=day).status_code == 303
    settled = portal.rows("SELECT outcome FROM death_report ORDER BY outcome")
    assert [row.outcome for row in settled] == ["confirmed", "mistaken"]
    assert portal.rows("SELECT count(*) AS n FROM person WHERE died_on IS NOT NULL")[0].n == 1


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
