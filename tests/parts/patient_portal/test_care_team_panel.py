"""Staff without a chart, at the sandbox hospital's own staff sign-in: their list, the search, and who is not theirs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.portal import Portal, signed_in_client, token_in
from tests.support.staff import Staff, choose, open_chart, sign_in_staff

HERS = "rv-p02"


def team_of(portal: Portal, patient: str) -> list[str]:
    (team,) = portal.chart(patient).of_type("CareTeam")
    return [str(one["member"]["reference"]) for one in team["participant"]]


def staff_on_and_off(portal: Portal, patient: str) -> tuple[int, int]:
    """Numbers of a clinician who is on the patient's team, and of one who is not."""
    team = team_of(portal, patient)
    ids = [login.id for login in portal.hospitals["riverside"].hospital.records.people("clinician")]
    return next(n for n, one in enumerate(ids) if one in team), next(n for n, one in enumerate(ids) if one not in team)


def refusals(portal: Portal) -> list[Any]:
    return portal.rows("SELECT * FROM audit_event WHERE outcome = '4' ORDER BY id")


def search(staff: Staff, query: str) -> Any:
    form = {"csrf_token": token_in(staff.get("/care-team/patients").text), "q": query}
    return staff.browser.post("/care-team/patients", data=form, base_url=staff.portal.url)


def test_a_nurse_without_a_chart_takes_a_patient_out(portal: Portal) -> None:
    """X-04, SMART-22, SMART-35: the list is the hospital's, nothing of it is stored, and one screen follows."""
    staff = sign_in_staff(portal, staff_on_and_off(portal, HERS)[0])
    entry = portal.hospitals["riverside"].hospital.records.entries[HERS]
    page = staff.get("/care-team/patients")
    assert entry.name in page.text
    assert entry.mrn in page.text
    assert f"Born {entry.birth_date}" not in page.text, "a birth date is said as the chart says it"
    assert portal.rows("SELECT id FROM person") == []
    assert staff.get("/care-team").headers["Location"] == "/care-team/patients"
    for query in (entry.name.split()[-1], entry.mrn, entry.birth_date):
        found = search(staff, query)
        assert f'value="{HERS}"' in found.text, query
    assert "Nobody was found" in search(staff, "Zzyzx").text
    seen = portal.rows("SELECT * FROM audit_event WHERE event = 'patients.listed' ORDER BY id")  # threats.md A7
    assert {(line.person_id, line.actor_reference[:13], line.detail["provider"]) for line in seen} == {
        (None, "Practitioner/", "riverside")
    }
    what = [(line.detail["what"], line.detail["count"] > 0) for line in seen]
    assert what[-1] == ("search", False)
    assert {("own", True), ("search", True)} <= set(what)
    assert entry.name.split()[-1] not in str([line.detail for line in seen])
    assert search(staff, " ").status_code == 422
    assert choose(staff, HERS).headers["Location"] == "/care-team"
    chart = staff.get().text
    assert "Take this patient out of CancerLinQ?" in chart
    assert entry.mrn in chart, "SMART-45: two patients may have one name and one birth date"
    recorded = staff.opt_out(how="paper", asked_on="2026-03-04")
    assert "This patient is out of CancerLinQ" in staff.get(recorded.headers["Location"]).text
    (decision,) = portal.rows("SELECT * FROM decision")
    assert (decision.actor_kind, decision.answer, decision.confirmed_by_person) == ("care-team", "no", False)
    assert decision.practice_id == "riverside-main"
    assert [row.n for row in portal.rows("SELECT count(*) AS n FROM person")] == [1]


def test_a_patient_of_another_team_is_refused(portal: Portal) -> None:
    """Abuse 10: the hospital finds any of its patients; only those on whose care team one is can be opened."""
    on, off = staff_on_and_off(portal, HERS)
    choose(sign_in_staff(portal, on), HERS)
    staff = sign_in_staff(portal, off)
    answer = choose(staff, HERS)
    assert answer.status_code == 403
    assert "You cannot act for this patient" in answer.text
    (line,) = refusals(portal)
    assert (line.event, line.actor_reference[:13]) == ("choices.read", "Practitioner/")
    assert line.person_id == portal.rows("SELECT id FROM person")[0].id
    assert staff.get("/care-team").headers["Location"] == "/care-team/patients"
    assert portal.rows("SELECT * FROM decision") == []


@pytest.mark.parametrize("way", ["panel", "chart"])
def test_membership_that_ended_during_the_session(portal: Portal, way: str) -> None:
    """Abuse 10: the next request is refused, nothing is recorded, and the patient finds the attempt in their audit."""
    hospital = portal.hospitals["riverside"].hospital
    if way == "panel":
        number = staff_on_and_off(portal, HERS)[0]
        staff = sign_in_staff(portal, number)
        choose(staff, HERS)
    else:
        staff = open_chart(portal, HERS)
    page = staff.get().text
    form = {
        "csrf_token": token_in(page), "form": "the-key-of-a-form", "who": "patient", "how": "phone", "reason": "Asked",
    }  # fmt: skip
    if way == "panel":
        hospital.faults.set({"left_team": [hospital.records.people("clinician")[number].id]})
    else:
        hospital.permissions.expire_access_tokens()
    answer = staff.browser.post("/care-team", data=form, base_url=portal.url)
    assert answer.status_code == 403
    assert "Nothing was recorded just now." in answer.text
    assert portal.rows("SELECT * FROM decision") == []
    assert [(line.event, line.actor_reference[:13]) for line in refusals(portal)] == [
        ("decision.denied", "Practitioner/")
    ]
    hospital.faults.set({})
    landed = staff.get().headers["Location"]
    assert landed == ("/care-team/patients" if way == "panel" else "/care-team/sign-in?next=/care-team")


def test_a_hospital_that_does_not_answer_records_nothing(portal: Portal) -> None:
    """Abuse 10: whether somebody may act is not guessed; the page says to try again."""
    staff = sign_in_staff(portal, staff_on_and_off(portal, HERS)[0])
    choose(staff, HERS)
    page = staff.get().text
    portal.hospitals["riverside"].hospital.faults.set({"types": {"CareTeam": {"status": 500}}})
    form = {"csrf_token": token_in(page), "form": "the-key-of-a-form", "who": "patient", "how": "phone", "reason": "A"}
    assert staff.browser.post("/care-team", data=form, base_url=portal.url).status_code == 503
    assert portal.rows("SELECT * FROM decision") == []


def test_a_form_of_an_older_tab_records_nothing_for_another_patient(portal: Portal) -> None:
    """X-04, abuse case 17: two tabs; the form is about the patient whose name stood above it, and about nobody else."""
    on_both = set(team_of(portal, HERS)) & set(team_of(portal, "rv-p01"))
    ids = [login.id for login in portal.hospitals["riverside"].hospital.records.people("clinician")]
    staff = sign_in_staff(portal, next(number for number, one in enumerate(ids) if one in on_both))
    choose(staff, HERS)
    page = staff.get().text
    chart = re.search(r'name="chart" value="([^"]+)"', page)
    assert chart
    choose(staff, "rv-p01")
    form = {"csrf_token": token_in(page), "form": "the-key-of-a-form", "chart": chart.group(1), "who": "patient",
            "how": "phone", "reason": "Asked"}  # fmt: skip
    answer = staff.browser.post("/care-team", data=form, base_url=portal.url)
    assert answer.headers["Location"] == "/care-team"
    assert "Nothing was recorded. Look whose chart this is." in staff.get().text
    assert portal.rows("SELECT * FROM decision") == []
    choose(staff, HERS)
    assert "/done/" in staff.browser.post("/care-team", data=form, base_url=portal.url).headers["Location"]


def test_without_a_sign_in_for_staff(portal: Portal) -> None:
    """SMART-62: a patient who uses the staff's door is not let in, and the list is nobody else's."""
    browser = portal.app.test_client()
    assert browser.get("/care-team/patients", base_url=portal.url).status_code == 303
    entry = browser.get("/care-team/sign-in", base_url=portal.url)
    assert re.findall(r'href="/care-team/sign-in/(\w+)"', entry.text) == ["lakeside", "riverside"]
    assert browser.get("/care-team/sign-in/nowhere", base_url=portal.url).status_code == 404


ACTS: dict[str, tuple[str, dict[str, str]]] = {
    "opt out": ("/care-team", {"who": "patient", "how": "phone", "reason": "Asked"}),
    "lift": ("/care-team", {"answer": "yes", "who": "patient", "how": "phone", "reason": "Asked"}),
    "donate": ("/choices/efforts/living-well", {"answer": "yes", "categories": "general", "signed_name": "A Nurse"}),
    "take back another's entry": ("/care-team/void", {"entry": "00000000-0000-4000-8000-000000000000", "why": "No"}),
}


def test_who_may_do_what(portal: Portal) -> None:
    """Abuse 10: four who act by four acts: own team, another team, one who has left, a patient; one cell records
    something, and there are as many notices as actions."""
    on, off = staff_on_and_off(portal, HERS)
    own, other, left = (sign_in_staff(portal, number) for number in (on, off, on))
    somebody = signed_in_client(portal, "rv-p03", record=False)
    patient, own_person = Staff(portal, somebody.browser), somebody.person
    for staff, opens in ((own, 303), (other, 403), (left, 303)):
        assert choose(staff, HERS).status_code == opens
    hospital, found = portal.hospitals["riverside"].hospital, {}
    for name, staff in {"left": left, "other": other, "patient": patient, "own": own}.items():
        gone = [hospital.records.people("clinician")[on].id] if name == "left" else []
        token = token_in(staff.get("/sign-in/riverside").text)
        hospital.faults.set({"left_team": gone})
        for act in ("lift", "donate", "take back another's entry", "opt out"):
            path, form = ACTS[act]
            sent = form | {"csrf_token": token, "form": f"the-key-{name}"}
            answer = staff.browser.post(path, data=sent, base_url=portal.url)
            found[name, act] = (answer.status_code, answer.headers.get("Location", "").split("/")[-2:-1])
        hospital.faults.set({})
    recorded = {cell for cell, answer in found.items() if answer == (303, ["done"])}
    assert recorded == {("own", "opt out")}, found
    assert {found["own", act][0] for act in ("lift", "donate")} == {403}
    assert {found["patient", act][0] for act in ACTS if act != "donate"} == {403}
    (decision,) = portal.rows("SELECT * FROM decision WHERE person_id <> :own", own=own_person)
    assert (decision.actor_kind, decision.answer) == ("care-team", "no")
    assert len(portal.rows("SELECT id FROM staff_task WHERE kind = 'tell-the-person'")) == 1
