"""Signing in refused: by the hospital, by what it says, by whoever forges an answer; through the real application.

Each refusal is a page in the person's language; nobody is signed in and nothing is kept (SMART-11…15, 20, 21).
"""

from __future__ import annotations

import html
import re
import threading
from dataclasses import replace
from typing import Any

import pytest
import requests

from patient_portal.app import create_app
from patient_portal.wiring import Wiring
from tests.support.actors import Cast, Visitor, allow, answer_of, begin, come_back
from tests.support.refusals import PATIENT, in_spanish, nothing_kept, refused, visitor

__all__ = ["nothing_kept", "visitor"]


def fault(cast: Cast, wanted: dict[str, Any], hospital: str = "riverside") -> None:
    cast.portal.hospitals[hospital].hospital.faults.set(wanted)


def whole_way(cast: Cast, visitor: Visitor) -> Any:
    return come_back(visitor, "riverside", allow(cast.portal, begin(visitor), PATIENT))


LACKING, DOWN = "You cannot sign in there yet", "Your hospital does not answer right now"
ID_TOKEN_FAULTS = (
    "iss", "aud", "azp", "exp", "nonce", "sub_long", "alg_none", "kid", "no_iss", "no_aud", "no_sub", "no_exp",
    "no_nonce",
)  # fmt: skip


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize("claim", ID_TOKEN_FAULTS)
def test_a_wrong_id_token(cast: Cast, visitor: Visitor, claim: str) -> None:
    """SMART-61, SEC-11, LIB-05: each lie of an id_token ends on the same page."""
    fault(cast, {"id_token": claim})
    refused(cast, visitor, whole_way(cast, visitor), 400, "We could not sign you in")


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize(
    ("wanted", "status", "words"),
    [
        ({"id_token": "fhir_user"}, {400, 403}, "Nothing was saved"),
        ({"token": "no_patient"}, 400, "We could not sign you in"),
        ({"token": "no_scope"}, 400, "We could not sign you in"),
        ({"token": "garbage"}, {400, 503}, ""),
        ({"token": "500"}, 503, "Your hospital does not answer right now"),
        ({"token": "503"}, 503, "Your hospital does not answer right now"),
    ],
    ids=str,
)
def test_a_token_endpoint_that_fails(
    cast: Cast, visitor: Visitor, wanted: dict[str, Any], status: int | set[int], words: str
) -> None:
    """SMART-33, SMART-44, SMART-45: what is missing, broken or down."""
    fault(cast, wanted)
    answer = whole_way(cast, visitor)
    refused(cast, visitor, answer, status, words)
    assert ("Retry-After" in answer.headers) == (answer.status_code == 503)
    if words:
        in_spanish(cast, visitor, lambda: whole_way(cast, visitor), words)


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        ("no_s256", LACKING), ("plain", LACKING), ({"authorization_endpoint": None}, LACKING),
        ({"capabilities": ["sso-openid-connect", "launch-ehr"]}, LACKING), ("500", DOWN), ("503", DOWN),
    ],
    ids=str,
)  # fmt: skip
def test_a_hospital_that_cannot_be_used(cast: Cast, visitor: Visitor, configuration: Any, words: str) -> None:
    """SMART-02, SMART-03, SMART-05, SMART-12: without S256, endpoints or the launch nobody is sent there; the page
    says whether waiting helps."""
    fault(cast, {"configuration": configuration})
    refused(cast, visitor, visitor.post("/sign-in/riverside", {}), 503, words)
    in_spanish(cast, visitor, lambda: visitor.post("/sign-in/riverside", {}), words)


@pytest.mark.usefixtures("nothing_kept")
def test_a_hospital_that_is_down(cast: Cast) -> None:
    """SMART-02: nobody listens at the address."""
    wiring = cast.portal.wiring
    gone = tuple(
        replace(each, fhir_base_url="http://localhost:9/fhir") if each.id == "riverside" else each
        for each in wiring.settings.providers
    )
    app = create_app(Wiring(replace(wiring.settings, providers=gone), wiring.database, wiring.keyring, wiring.http))
    visitor = Visitor(cast.portal, "nobody", app.test_client())
    answer = visitor.post("/sign-in/riverside", {})
    refused(cast, visitor, answer, 503, "Your hospital does not answer right now")
    assert answer.headers["Retry-After"] == "60"


@pytest.mark.usefixtures("nothing_kept")
def test_the_person_says_no(cast: Cast, visitor: Visitor) -> None:
    """SMART-14: a page that says so, and the way without signing in."""
    denied = allow(cast.portal, begin(visitor), PATIENT, decision="deny")
    refused(cast, visitor, come_back(visitor, "riverside", denied), 403, "You are not signed in")
    again = allow(cast.portal, begin(visitor), PATIENT, decision="deny")
    in_spanish(cast, visitor, lambda: come_back(visitor, "riverside", again), "You are not signed in")


FORGED: dict[str, dict[str, str]] = {
    "no state": {"state": ""},
    "another state": {"state": "a" * 43},
    "a cut state": {"state": "a"},
    "no code": {"code": ""},
    "a strange code": {"code": "\u202e\x00"},
    "another code": {"code": "not-the-code-of-anybody"},
    "another hospital's name": {"iss": "https://evil.example/fhir"},
    "an error beside the code": {"error": "server_error"},
}


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize("name", FORGED)
def test_a_forged_answer(cast: Cast, visitor: Visitor, name: str) -> None:
    """SMART-11, SMART-15: what does not fit what was asked is refused."""
    back = allow(cast.portal, begin(visitor), PATIENT)
    refused(cast, visitor, come_back(visitor, "riverside", back, **FORGED[name]), 400, "We could not sign you in")


@pytest.mark.usefixtures("nothing_kept")
def test_an_answer_in_another_browser(cast: Cast, visitor: Visitor) -> None:
    """SMART-11, abuse case 4: login CSRF; the attacker's own answer signs nobody in elsewhere."""
    back = allow(cast.portal, begin(visitor), PATIENT)
    victim, other = cast.newcomer(), cast.newcomer()
    begin(other)
    refused(cast, victim, come_back(victim, "riverside", back), 400, "We could not sign you in")
    refused(cast, other, come_back(other, "riverside", back), 400, "We could not sign you in")


@pytest.mark.usefixtures("nothing_kept")
def test_one_hospitals_answer_at_anothers_callback(cast: Cast, visitor: Visitor) -> None:
    """SMART-15, abuse case 3: mix-up; whichever way it is crossed, no code is exchanged."""
    at_lakeside = allow(cast.portal, begin(visitor, "lakeside"), "lk-p01", "lakeside")
    refused(cast, visitor, come_back(visitor, "riverside", at_lakeside), 400)
    riverside = begin(visitor)
    crossed = answer_of(allow(cast.portal, riverside, PATIENT)) | {"code": answer_of(at_lakeside)["code"]}
    refused(cast, visitor, visitor.get("/callback/riverside", query_string=crossed), 400)
    refused(cast, visitor, visitor.get("/callback/lakeside", query_string=crossed), 400)
    assert visitor.get("/callback/nowhere", query_string=crossed).status_code == 404


def test_an_answer_counts_once(cast: Cast, visitor: Visitor) -> None:
    """SMART-11, abuse case 17: of ten equal answers at once one signs in; a replay later signs nobody in."""
    back = allow(cast.portal, begin(visitor), PATIENT)
    cookie, query = visitor.cookie(), answer_of(back)
    statuses: list[int] = []

    def send() -> None:
        tab = cast.newcomer()
        tab.browser.set_cookie("portal", cookie or "", domain="127.0.0.1")
        statuses.append(tab.get("/callback/riverside", query_string=query).status_code)

    tabs = [threading.Thread(target=send) for _ in range(6)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert sorted(statuses) == [303, 400, 400, 400, 400, 400]
    stranger = cast.newcomer()
    refused(cast, stranger, stranger.get("/callback/riverside", query_string=query), 400)


def test_a_second_answer_finds_them_signed_in(cast: Cast, visitor: Visitor) -> None:
    """SMART-11, LANG-03: the same answer again, by the Back button: the page says that they are signed in."""
    back = allow(cast.portal, begin(visitor), PATIENT)
    assert come_back(visitor, "riverside", back).status_code == 303
    for language, words in (("en", "You are signed in"), ("es", "sesión")):
        visitor.get(f"/choices?lang={language}")
        answer = come_back(visitor, "riverside", back)
        assert answer.status_code == 400
        assert words in answer.text
        assert 'href="/record"' in answer.text
        assert "We could not sign you in" not in answer.text
    assert visitor.get("/record").status_code == 200
    denied = allow(cast.portal, begin(visitor), PATIENT, decision="deny")
    visitor.get("/choices?lang=en")
    said = come_back(visitor, "riverside", denied)
    assert said.status_code == 403
    assert "You are still signed in" in said.text
    assert visitor.get("/record").status_code == 200


def test_two_presses_of_the_button(cast: Cast, visitor: Visitor) -> None:
    """Abuse case 17: each press is a launch of its own; the one that comes back signs in."""
    first, second = begin(visitor), begin(visitor)
    assert first != second
    assert come_back(visitor, "riverside", allow(cast.portal, second, PATIENT)).status_code == 303
    assert visitor.get("/record").status_code == 200


def test_where_to_go_on_is_kept(cast: Cast, visitor: Visitor) -> None:
    """Abuse case 26: after signing in the person is where they wanted to be, if it is ours."""
    for wish, leads_to in (("/choices/cancerlinq", "/choices/cancerlinq"), ("//evil.example", "/record")):
        where = begin(visitor, next=wish)
        assert come_back(visitor, "riverside", allow(cast.portal, where, PATIENT)).headers["Location"] == leads_to


def test_a_request_too_long_for_an_address(cast: Cast, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """SMART-13: a form with a button, for browsers without scripts too, carries it to that hospital and nowhere else;
    what it carries signs in."""
    monkeypatch.setattr("fhir_bridge.smart.launch.LONG_URL", 300)
    page = visitor.post("/sign-in/riverside", {})
    assert page.status_code == 200
    form = page.text.partition("<main")[2]
    at = re.search(r'<form method="post" action="([^"]+)"', form)
    assert at
    hospital = cast.portal.hospitals["riverside"].url
    assert at.group(1) == f"{hospital}/oauth/authorize"
    assert "<button" in form
    assert 'name="csrf_token"' not in form, "our own token stays with us"
    assert f"form-action 'self' {hospital}" in page.headers["Content-Security-Policy"]
    sent = {name: html.unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)}
    assert {"aud", "code_challenge", "nonce", "scope", "state"} <= sent.keys()
    there = requests.post(at.group(1), sent, allow_redirects=False, timeout=10)
    assert come_back(visitor, "riverside", allow(cast.portal, there.headers["Location"], PATIENT)).status_code == 303
    assert visitor.get("/record").status_code == 200


def test_asking_too_often(cast: Cast, visitor: Visitor) -> None:
    """SEC-09: 429 with Retry-After for one address; another address is not held up; the opt-out page stays open."""
    busy = {"environ_overrides": {"REMOTE_ADDR": "192.0.2.7"}}
    token = visitor.token()
    statuses = [visitor.post("/sign-in/riverside", {"csrf_token": token}, **busy).status_code for _ in range(22)]
    assert statuses[:20] == [303] * 20
    assert statuses[-1] in {429, 303}  # a new minute may begin meanwhile
    answer = visitor.post("/sign-in/riverside", {"csrf_token": token}, **busy)
    assert answer.status_code == 303 or 0 < int(answer.headers["Retry-After"]) <= 60
    assert visitor.post("/sign-in/riverside", {"csrf_token": token}).status_code == 303
    assert visitor.get("/without-account", **busy).status_code == 200
