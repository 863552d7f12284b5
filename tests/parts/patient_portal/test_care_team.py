"""The care team's screen, from a real chart at the sandbox hospital to the ledger, for patients without an account."""

from __future__ import annotations

import re
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from markupsafe import Markup

from tests.support.portal import Portal, signed_in_client, token_in
from tests.support.staff import hospital_of, open_chart

PATIENT = "rv-p02"


def without_tokens(page: str) -> str:
    return re.sub(r'name="csrf_token" value="[^"]+"', "", page)


def decisions(portal: Portal) -> list[Any]:
    return portal.rows("SELECT * FROM decision ORDER BY recorded_at")


def refusals(portal: Portal) -> list[Any]:
    return portal.rows("SELECT * FROM audit_event WHERE outcome = '4' ORDER BY id")


@pytest.mark.parametrize("patient", ["rv-p02", "lk-p01"])
def test_a_patient_without_an_account_is_taken_out_from_the_chart(portal: Portal, patient: str) -> None:
    """X-04, SMART-45: banner, one form, a decision with who acted, and a row for each system concerned."""
    staff = open_chart(portal, patient)
    page = staff.get()
    entry = hospital_of(portal, patient).hospital.records.entries[patient]
    assert page.status_code == 200
    assert entry.name in page.text
    assert entry.birth_date[:4] in page.text
    assert "Take this patient out of CancerLinQ?" in page.text
    recorded = staff.opt_out(who="family", how="phone")
    assert recorded.status_code == 303, recorded.text
    done = staff.get(recorded.headers["Location"])
    assert done.status_code == 200
    assert "This patient is out of CancerLinQ" in done.text
    assert 'class="waiting"' in done.text, "the systems are known by the record number, learnt at sign-in"
    (decision,) = decisions(portal)
    assert (decision.choice, decision.answer, decision.means) == ("cancerlinq", "no", "phone")
    assert (decision.actor_kind, decision.actor_reference[:13]) == ("care-team", "Practitioner/")
    assert (decision.reason, decision.confirmed_by_person) == ("Asked at today's visit", False)
    assert (decision.text_id, decision.text_version) == ("cancerlinq-by-staff", 1), "the words that the screen showed"
    assert "These words: Take this patient out of CancerLinQ, version 1." in Markup(page.text).striptags()
    assert decision.practice_id == ("riverside-main" if patient.startswith("rv-") else "lakeside-main")
    lines = portal.rows("SELECT * FROM audit_event WHERE event = 'decision.recorded'")
    assert [(line.actor_kind, line.actor_reference) for line in lines] == [("care-team", decision.actor_reference)]
    assert "This patient is out of CancerLinQ" in staff.get().text


def test_staff_sees_no_record_and_no_study(portal: Portal) -> None:
    """SMART-35, SMART-65: no record is brought in for staff, and a study the patient joined is not named."""
    patient = signed_in_client(portal, PATIENT)
    form = {"answer": "yes", "form": secrets.token_urlsafe(24), "categories": ["general"], "signed_name": "Rosa"}
    given = patient.post("/choices/efforts/early-signs", form, page="/choices/efforts/early-signs")
    assert given.status_code == 303, given.text
    before = portal.rows("SELECT count(*) AS n FROM retrieval")[0].n
    staff = open_chart(portal, PATIENT)
    page = staff.get().text
    assert portal.rows("SELECT count(*) AS n FROM retrieval")[0].n == before
    assert "Early Signs" not in page
    done = staff.get(staff.opt_out().headers["Location"]).text
    assert "Early Signs" not in done
    donation = next(row.id for row in decisions(portal) if row.choice == "donation")
    assert staff.get(f"/care-team/done/{donation}").status_code == 404


REFUSED = {
    "donate": ("/choices/efforts/living-well", {"answer": "yes", "categories": "general", "signed_name": "A Nurse"}),
    "withdraw": ("/choices/efforts/living-well", {"answer": "no"}),
    "lift": ("/choices/cancerlinq", {"answer": "yes"}),
    "stop-all": ("/choices/stop-all", {}),
    "lift on the own screen": ("/care-team", {"answer": "yes"}),
    "donate on the own screen": ("/care-team", {"effort": "living-well", "answer": "yes"}),
}


@pytest.mark.parametrize(("path", "form"), REFUSED.values(), ids=REFUSED.keys())
def test_staff_can_only_opt_out(portal: Portal, path: str, form: dict[str, str]) -> None:
    """SMART-65: anything else from staff is 403, changes nothing, and stands in the patient's audit."""
    staff = open_chart(portal, PATIENT)
    assert staff.post(path, **form).status_code == 403
    assert decisions(portal) == []
    (line,) = refusals(portal)
    assert (line.event, line.actor_kind, line.actor_reference[:13]) == (
        "decision.denied", "care-team", "Practitioner/",
    )  # fmt: skip
    assert line.person_id == portal.rows("SELECT id FROM person")[0].id


@pytest.mark.parametrize("path", ["/record", "/choices", "/choices/cancerlinq", "/activity"])
def test_staff_opens_no_page_of_the_patient(portal: Portal, path: str) -> None:
    """SEC-08: a look at the patient's own pages is refused, and the patient can see that it was tried."""
    staff = open_chart(portal, PATIENT)
    assert staff.get(path).status_code == 403
    assert [line.event for line in refusals(portal)] == ["record.read" if path == "/record" else "choices.read"]


def test_a_decision_of_another_person_is_not_there(portal: Portal) -> None:
    """Abuse 10: what was recorded in one chart cannot be opened from another."""
    first = open_chart(portal, PATIENT)
    there = first.opt_out().headers["Location"]
    second = open_chart(portal, "rv-p03")
    assert first.get(there).status_code == 200
    other, unknown = second.get(there), second.get(f"/care-team/done/{uuid.uuid4()}")
    assert (other.status_code, unknown.status_code) == (404, 404)
    assert without_tokens(other.text) == without_tokens(unknown.text)


def test_a_form_left_open_does_not_reach_the_next_chart(portal: Portal) -> None:
    """Abuse 10: after another chart was opened in the same browser, the first chart's form records nothing."""
    staff = open_chart(portal, PATIENT)
    page = staff.get().text
    open_chart(portal, "rv-p03", staff.browser)
    sent = {"csrf_token": token_in(page), "form": "the-key-of-the-first", "who": "patient", "how": "phone"}
    late = staff.browser.post("/care-team", data=sent | {"reason": "Asked"}, base_url=portal.url)
    assert late.status_code == 400
    assert decisions(portal) == []


def test_a_second_opt_out_keeps_the_first_date(portal: Portal) -> None:
    """X-04: recorded twice, by two nurses' forms, there is one decision, and the page says so."""
    staff = open_chart(portal, PATIENT)
    page = staff.get().text
    first = staff.opt_out(asked_on="2026-03-04", how="paper")
    sent = {"csrf_token": token_in(page), "form": secrets.token_urlsafe(24), "who": "patient", "how": "phone"}
    second = staff.browser.post("/care-team", data=sent | {"reason": "Called"}, base_url=portal.url)
    assert second.headers["Location"] == first.headers["Location"] + "?again=1"
    said = staff.get(second.headers["Location"]).text
    assert "out already, since March 4, 2026" in Markup(said).striptags()
    (decision,) = decisions(portal)
    assert (decision.means, decision.asked_at.date().isoformat()) == ("paper", "2026-03-04")


WRONG = {
    "no reason": ({"reason": "  "}, "reason", "Write in a few words"),
    "too long": ({"reason": "x" * 501}, "reason", "at most 500"),
    "nobody asked": ({"who": ""}, "who", "Choose who asked."),
    "unknown way": ({"how": "by-owl"}, "how", "Choose how they asked."),
    "paper without its date": ({"how": "paper"}, "asked_on", "Give the date on the paper."),
    "not a date": ({"asked_on": "yesterday"}, "asked_on", "year, month and day"),
    "long ago": ({"asked_on": "0001-01-01"}, "asked_on", "year, month and day"),
    "future": ({"asked_on": (datetime.now(UTC) + timedelta(days=3)).date().isoformat()}, "asked_on", "not come yet"),
}


@pytest.mark.parametrize(("changed", "field", "words"), WRONG.values(), ids=WRONG.keys())
def test_what_is_missing_is_said_and_what_was_typed_stays(
    portal: Portal, changed: dict[str, str], field: str, words: str
) -> None:
    """SMART-65, WCAG 3.3.1: each error names its field and its remedy; nothing is recorded; nothing is lost."""
    staff = open_chart(portal, PATIENT)
    answer = staff.opt_out(**({"reason": "Told me on the phone", "who": "family"} | changed))
    assert answer.status_code == 422
    assert f'href="#{field}"' in answer.text
    assert words in answer.text
    if "reason" not in changed:
        assert "Told me on the phone" in answer.text
    if "who" not in changed:
        assert 'value="family" checked' in answer.text
    assert decisions(portal) == []


def test_the_patient_finds_it_and_confirms_or_undoes_it(portal: Portal) -> None:
    """CON-11, X-05: the first sign-in with the same patient id finds the decision; one step confirms, one lifts."""
    open_chart(portal, PATIENT).opt_out()
    patient = signed_in_client(portal, PATIENT)
    overview = patient.get("/choices").text
    assert "Your care team took you out of CancerLinQ" in overview
    for answer in ("no", "yes"):
        form = {"answer": answer, "form": secrets.token_urlsafe(24)}
        assert patient.post("/choices/cancerlinq", form, page="/choices/cancerlinq").status_code == 303
    rows = decisions(portal)
    assert [(row.answer, row.actor_kind, row.confirmed_by_person) for row in rows] == [
        ("no", "care-team", False), ("no", "patient", True), ("yes", "patient", True),
    ]  # fmt: skip
    assert len({row.person_id for row in rows}) == 1
    assert "took you out" not in patient.get("/choices").text
