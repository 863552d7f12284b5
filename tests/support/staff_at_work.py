"""CancerLinQ's own staff for tests: through their identity provider to the queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import requests
from werkzeug.test import TestResponse

from tests.support.portal import Portal, token_in

LEAD, WORKER = "dana", "miguel"


@dataclass
class AtWork:
    """The browser of one member of staff."""

    portal: Portal
    browser: Any

    def get(self, path: str = "/staff", **options: Any) -> TestResponse:
        answer = self.browser.get(path, base_url=self.portal.url, **options)
        assert isinstance(answer, TestResponse)
        return answer

    def post(self, path: str, **form: str) -> TestResponse:
        """Post with this browser's form token."""
        sent = {"csrf_token": token_in(self.get("/staff/sign-in").text), **form}
        answer = self.browser.post(path, data=sent, base_url=self.portal.url)
        assert isinstance(answer, TestResponse)
        return answer


def callback_of(portal: Portal, browser: Any, who: str, way: str = "key", after: str = "") -> dict[str, str]:
    """Press the button, be `who` at the identity provider; the parameters with which it sends the browser back."""
    page = browser.get("/staff/sign-in", base_url=portal.url)
    form = {"csrf_token": token_in(page.text), "next": after}
    sent = browser.post("/staff/sign-in/cancerlinq", data=form, base_url=portal.url)
    assert sent.status_code == 303, sent.text
    where = urlsplit(sent.headers["Location"])
    asked = dict(parse_qsl(where.query))
    chosen = asked | {"who": f"{who} {way}" if who else ""}
    back = requests.post(f"{portal.staff.url}/authorize", chosen, allow_redirects=False, timeout=10)
    assert back.status_code == 303, back.text
    return {name: values[0] for name, values in parse_qs(urlsplit(back.headers["Location"]).query).items()}


def at_work(portal: Portal, who: str = WORKER, way: str = "key") -> AtWork:
    """`who` signed in, with a security key at their identity provider."""
    browser = portal.app.test_client()
    answer = callback_of(portal, browser, who, way)
    landed = browser.get("/staff/callback/cancerlinq", query_string=answer, base_url=portal.url)
    assert (landed.status_code, landed.headers.get("Location")) == (303, "/staff"), landed.text
    return AtWork(portal, browser)
