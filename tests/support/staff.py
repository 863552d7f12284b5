"""A nurse's browser for tests: from a chart at the sandbox hospital to the care team's screen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from sandbox.hospital.server import RunningHospital
from tests.support.portal import Portal, token_in


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


def hospital_of(portal: Portal, patient: str) -> RunningHospital:
    return portal.hospitals["riverside" if patient.startswith("rv-") else "lakeside"]


def chart_of(portal: Portal, patient: str) -> str:
    """Press the button in the hospital's chart; the address that it opens at the portal."""
    hospital = hospital_of(portal, patient)
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


def sign_in_staff(portal: Portal, number: int = 0, hospital: str = "riverside", browser: Any = None) -> Staff:
    """Sign in as the hospital's `number`th clinician, without a chart, through the hospital's own screens."""
    browser = browser or portal.app.test_client()
    form = {"csrf_token": token_in(browser.get(f"/care-team/sign-in/{hospital}", base_url=portal.url).text)}
    sent = browser.post(f"/care-team/sign-in/{hospital}", data=form, base_url=portal.url)
    assert sent.status_code == 303, sent.text
    running, query = portal.hospitals[hospital], urlsplit(sent.headers["Location"]).query
    login = running.hospital.records.people("clinician")[number].id
    asked = requests.post(f"{running.url}/oauth/consent?{query}", {"login": login}, timeout=10)
    assert "Whose chart?" not in asked.text
    decided = {"login": login, "decision": "allow"}
    back = requests.post(f"{running.url}/oauth/decision?{query}", decided, allow_redirects=False, timeout=10)
    where = urlsplit(back.headers["Location"])
    answer = {key: values[0] for key, values in parse_qs(where.query).items()}
    landed = browser.get(where.path, query_string=answer, base_url=portal.url)
    assert (landed.status_code, landed.headers.get("Location")) == (303, "/care-team/patients"), landed.text
    return Staff(portal, browser)


def choose(staff: Staff, patient: str) -> Any:
    """Choose a patient from the member's own list."""
    form = {"csrf_token": token_in(staff.get("/care-team/patients").text), "patient": patient}
    return staff.browser.post("/care-team/open", data=form, base_url=staff.portal.url)
