"""The care team's screen, from a real chart at the sandbox hospital to the ledger, for patients without an account."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.support.portal import Client, Portal, signed_in_client, token_in

PATIENT = "rv-p02"


@dataclass
class Staff:
    """A nurse's browser with one chart open."""

    portal: Portal
    browser: Any

    def get(self, path: str = "/care-team") -> Any:
        return self.browser.get(path, base_url=self.portal.url)

    def post(self, path: str = "/care-team", **form: str) -> Any:
        """Post with the token and the key of the screen's own form."""
        page = self.get().text
        key = re.search(r'name="form" value="([^"]+)"', page)
        sent = {"csrf_token": token_in(page), "form": key.group(1) if key else "a-key-of-a-form", **form}
        return self.browser.post(path, data=sent, base_url=self.portal.url)

    def opt_out(self, **changed: str) -> Any:
        form = {"who": "patient", "how": "in-person", "asked_on": "", "reason": "Asked at today's visit"}
        return self.post(**(form | changed))


def chart_of(portal: Portal, patient: str) -> str:
    """Press the button in the hospital's chart; the address that it opens at the portal."""
    name = "riverside" if patient.startswith("rv-") else "lakeside"
    hospital = portal.hospitals[name]
    nurse = requests.Session()
    clinician = hospital.hospital.records.people("clinician")[0].id
    nurse.post(f"{hospital.url}/chart/sign-in", {"login": clinician}, timeout=10)
    pressed = nurse.post(f"{hospital.url}/chart/{patient}/launch", allow_redirects=False, timeout=10)
    return urlsplit(pressed.headers["Location"]).query


def callback_of(portal: Portal, browser: Any, sent: Any) -> Any:
    """Follow the browser through the hospital and back to our callback."""
    assert sent.status_code in {302, 303}, sent.text
    back = requests.get(sent.headers["Location"], allow_redirects=False, timeout=10)
    where = urlsplit(back.headers["Location"])
    answer = {key: values[0] for key, values in parse_qs(where.query).items()}
    return browser.get(where.path, query_string=answer, base_url=portal.url)


def open_chart(portal: Portal, patient: str, browser: Any = None) -> Staff:
    browser = browser or portal.app.test_client()
    sent = browser.get("/launch", query_string=chart_of(portal, patient), base_url=portal.url)
    landed = callback_of(portal, browser, sent)
    assert (landed.status_code, landed.headers.get("Location")) == (303, "/care-team"), landed.text
    return Staff(portal, browser)


def decisions(portal: Portal) -> list[Any]:
    return portal.rows("SELECT * FROM decision ORDER BY recorded_at")


def refusals(portal: Portal) -> list[Any]:
    return portal.rows("SELECT * FROM audit_event WHERE outcome = '4' ORDER BY id")


@pytest.mark.parametrize("patient", ["rv-p02", "lk-p01"])
def test_a_patient_without_an_account_is_taken_out_from_the_chart(portal: Portal, patient: str) -> None:
    """X-04, SMART-45: banner, one form, a decision with who acted, and a row for each system concerned."""
    staff = open_chart(portal, patient)
    page = staff.get()
    name = next(iter(portal.hospitals.values())).hospital.records
    entry = next(
        one.hospital.records.entries[patient]
        for one in portal.hospitals.values()
        if patient in one.hospital.records.entries
    )
    assert name is not None
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
    assert decision.practice_id == ("riverside-main" if patient.startswith("rv-") else "lakeside-main")
    lines = portal.rows("SELECT * FROM audit_event WHERE event = 'decision.recorded'")
    assert [(line.actor_kind, line.actor_reference) for line in lines] == [("care-team", decision.actor_reference)]
    assert "This patient is out of CancerLinQ" in staff.get().text
