"""The care team: who is not let in, what happens when the hospital is down, and how the patient is told."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
import requests

from consent.sequencer import sequence_once
from database.context import as_persons
from notifications.tables import ContactConsent, ContactPoint
from notifications.texting import TEXTS
from patient_portal.care_team.chart import tell_person
from patient_portal.in_touch.texting import confirm_new_decisions, texting_of
from tests.support.portal import Portal, token_in
from tests.support.staff import callback_of, chart_of, open_chart

PATIENT = "rv-p02"


def test_staff_need_a_chart(portal: Portal) -> None:
    """SMART-62: a practitioner who signs in without a chart gets a page that says what to do, and no session."""
    browser = portal.app.test_client()
    form = {"csrf_token": token_in(browser.get("/sign-in/riverside", base_url=portal.url).text)}
    sent = browser.post("/sign-in/riverside", data=form, base_url=portal.url)
    query, hospital = urlsplit(sent.headers["Location"]).query, portal.hospitals["riverside"]
    login = hospital.hospital.records.people("clinician")[0].id
    page = requests.post(f"{hospital.url}/oauth/consent?{query}", {"login": login}, timeout=10).text
    decided = {"login": login, "decision": "allow", "patient": PATIENT}
    groups = {"group": re.findall(r'name="group" value="([^"]+)"', page)}
    back = requests.post(f"{hospital.url}/oauth/decision?{query}", decided | groups, allow_redirects=False, timeout=10)
    where = urlsplit(back.headers["Location"])
    landed = browser.get(where.path, query_string=where.query, base_url=portal.url)
    assert landed.status_code == 403
    assert "Open us from the patient" in landed.text
    assert portal.rows("SELECT id FROM person") == []
    assert browser.get("/care-team", base_url=portal.url).status_code == 303


def test_a_hospital_without_staff_access(portal: Portal) -> None:
    """SMART-62: where the hospital has not opened this to staff, nothing is saved and the page says why."""
    settings = portal.wiring.settings
    closed = tuple(replace(each, care_team=False) for each in settings.providers)
    portal.app.extensions["wiring"] = replace(portal.wiring, settings=replace(settings, providers=closed))
    browser = portal.app.test_client()
    sent = browser.get("/launch", query_string=chart_of(portal, PATIENT), base_url=portal.url)
    landed = callback_of(portal, browser, sent)
    assert landed.status_code == 403
    assert "has not set this up for staff" in landed.text
    assert portal.rows("SELECT id FROM person") == []


def test_no_name_no_screen(portal: Portal) -> None:
    """SMART-45: when the patient cannot be read there is no banner, so nobody is signed in and nothing is saved."""
    browser = portal.app.test_client()
    sent = browser.get("/launch", query_string=chart_of(portal, PATIENT), base_url=portal.url)
    portal.hospitals["riverside"].hospital.faults.set({"types": {"Patient": {"status": 500}}})
    landed = callback_of(portal, browser, sent)
    assert landed.status_code == 503
    assert portal.rows("SELECT id FROM person") == []


@pytest.mark.parametrize("way", ["sms", "letter", ""])
def test_the_patient_is_told_by_a_way_that_is_not_the_staffs_own(portal: Portal, way: str) -> None:
    """Abuse 10: as many notices as actions: a text where one can go, else a letter of ours to the address they gave,
    else a case for staff to write one; never two letters."""
    staff = open_chart(portal, PATIENT)
    person = portal.rows("SELECT id FROM person")[0].id
    if way:
        add_proven(portal, person, way)
    done = staff.opt_out().headers["Location"]
    (decision,) = portal.rows("SELECT * FROM decision")
    tell_person(portal.worker.database, person, decision.id, decision.practice_id, datetime.now(UTC))
    sequence_once(portal.worker.database, datetime.now(UTC))
    confirm_new_decisions(texting_of(portal.worker), datetime.now(UTC))
    tasks = portal.rows("SELECT kind, practice_id FROM staff_task")
    assert [tuple(task) for task in tasks] == ([] if way else [("tell-the-person", "riverside-main")])
    assert [row.channel for row in portal.rows("SELECT channel FROM message")] == ([way] if way else [])
    assert ("The letter to print (PDF)" in staff.get(done).text) is not bool(way)


def add_proven(portal: Portal, person: uuid.UUID, way: str) -> None:
    """A number that the patient proved, or an address that they gave, with a yes to it."""
    number, long_ago = uuid.uuid4(), datetime(2026, 1, 2, tzinfo=UTC)
    with portal.wiring.database.begin(as_persons(person)) as session:
        index, sealed = number.bytes, b"not read here"
        session.add(
            ContactPoint(
                id=number, person_id=person, channel=way, value_index=index, value_sealed=sealed, language="en",
                zone=None, state="confirmed", code_hash=None, code_expires_at=None, code_tries=0,
                created_at=long_ago, confirmed_at=long_ago,
            )
        )  # fmt: skip
        session.flush()
        session.add(
            ContactConsent(
                contact_point_id=number, person_id=person, value_index=index, topic=TEXTS, answer="yes", means="web",
                proof_sealed=sealed, recorded_at=long_ago,
            )
        )  # fmt: skip
