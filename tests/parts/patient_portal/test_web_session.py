"""Sessions: a random id in the cookie, everything else on our side, and an end to each (SEC-01, SEC-02)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Response

from patient_portal.app import create_app
from patient_portal.signing_in.web_session import IDLE_PATIENT, SessionStore
from patient_portal.wiring import Wiring
from tests.support.actors import OWNER_ID, STAFF, Cast, Visitor, allow, begin, come_back, open_chart
from tests.support.portal import token_in


@dataclass
class Clock:
    """A clock that a test moves."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def pass_by(self, **time: float) -> None:
        self.ahead += timedelta(**time)


@pytest.fixture
def clock(cast: Cast) -> Iterator[Clock]:
    """The session store under a clock of the test's own."""
    store = cast.portal.app.session_interface
    assert isinstance(store, SessionStore)
    moved = Clock()
    cast.portal.app.session_interface = replace(store, now=moved)
    yield moved
    cast.portal.app.session_interface = store


def signed_in(answer: Any) -> bool:
    return bool(answer.status_code == 200)


def with_cookie(cast: Cast, value: str, path: str = "/record") -> Any:
    """What a browser that knows only this cookie gets."""
    thief = cast.newcomer()
    thief.browser.set_cookie("portal", value, domain="127.0.0.1")
    return thief.get(path)


def sign_in(cast: Cast, visitor: Visitor, patient: str = "rv-p02") -> None:
    landed = come_back(visitor, "riverside", allow(cast.portal, begin(visitor), patient))
    assert landed.headers["Location"] == "/record", landed.text


def test_the_cookie_of_a_demo(cast: Cast) -> None:
    """SEC-01: HttpOnly, SameSite=Lax, for this host only; 256 random bits and nothing readable."""
    cookies = {cast.newcomer().get("/sign-in/riverside").headers["Set-Cookie"] for _ in range(5)}
    assert len(cookies) == 5
    for cookie in cookies:
        value, *flags = cookie.split("; ")
        assert value.startswith("portal=")
        assert len(value.removeprefix("portal=")) == 43
        assert set(flags) == {"HttpOnly", "Path=/", "SameSite=Lax"}


def test_the_cookie_of_production(cast: Cast) -> None:
    """SEC-01: `__Host-` and Secure; both cookies, and the one of the language."""
    wiring = cast.portal.wiring
    settings = replace(wiring.settings, base_url="https://portal.example.org")
    app = create_app(Wiring(settings, wiring.database, wiring.keyring, wiring.http))
    answer = app.test_client().get("/sign-in/riverside?lang=es", base_url="https://portal.example.org")
    cookies = {each.split("=", 1)[0]: set(each.split("; ")[1:]) for each in answer.headers.getlist("Set-Cookie")}
    assert cookies["__Host-portal"] == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= cookies["language"]
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


def test_looking_around_makes_no_session(cast: Cast) -> None:
    """SEC-01: who only reads public pages gets no cookie."""
    stranger = cast.newcomer()
    for path in ("/", "/faq", "/privacy", "/help", "/sign-in"):
        assert "Set-Cookie" not in stranger.get(path).headers
    assert stranger.cookie() is None


def test_a_new_id_at_sign_in_and_the_old_one_dead(cast: Cast) -> None:
    """SEC-01, abuse case 4: a cookie known before sign-in opens nothing after it."""
    visitor = cast.newcomer()
    visitor.get("/sign-in/riverside")
    before = visitor.cookie()
    sign_in(cast, visitor)
    after = visitor.cookie()
    assert before
    assert after
    assert before != after
    assert signed_in(with_cookie(cast, after))
    assert not signed_in(with_cookie(cast, before))


@pytest.mark.parametrize("planted", ["A" * 43, "a-value-that-somebody-else-has-chosen-for-you-1"])
def test_a_planted_id_is_never_adopted(cast: Cast, planted: str) -> None:
    """SEC-01: session fixation; an id that we did not make is thrown away."""
    visitor = cast.newcomer()
    visitor.browser.set_cookie("portal", planted, domain="127.0.0.1")
    sign_in(cast, visitor)
    assert visitor.cookie() != planted
    assert not signed_in(with_cookie(cast, planted))


def test_a_new_role_in_the_same_browser_is_a_new_session(cast: Cast) -> None:
    """SEC-01: a nurse who opens a chart in a patient's browser leaves no patient session behind."""
    visitor = cast.another_patient()
    as_patient = visitor.cookie()
    open_chart(visitor, OWNER_ID)
    assert visitor.get("/record").status_code == 403
    assert as_patient
    assert not signed_in(with_cookie(cast, as_patient))


def test_a_patient_may_rest_for_fifteen_minutes(cast: Cast, clock: Clock) -> None:
    """SEC-02: used within 15 minutes it lives on; after them the next page asks to sign in, and says where to go on."""
    visitor = cast.another_patient()
    for _ in range(3):
        clock.pass_by(minutes=14, seconds=50)
        assert signed_in(visitor.get("/record"))
    clock.pass_by(minutes=15, seconds=1)
    answer = visitor.get("/record")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?next=/record")


def test_one_press_gives_more_time(cast: Cast, clock: Clock) -> None:
    """SEC-02, A11Y-01 (2.2.1): each page says when it will be over and warns two minutes before; being asked goes on;
    what is over is told so."""
    visitor = cast.another_patient()
    page = visitor.get("/record/mine").text
    rest, warn = (int(found) for found in re.findall(r'data-(?:rest|warn)="(\d+)"', page))
    assert warn >= 20
    assert timedelta(seconds=rest) < IDLE_PATIENT
    form = {"csrf_token": token_in(page)}

    def press() -> int:
        return int(visitor.browser.post("/stay", data=form, base_url=cast.portal.url).status_code)

    for _ in range(3):
        clock.pass_by(seconds=rest - 1)
        assert press() == 204
    assert signed_in(visitor.get("/record"))
    clock.pass_by(minutes=16)
    assert press() == 400
    assert 'id="stay"' not in cast.newcomer().get("/").text


def test_staff_may_rest_for_ten_minutes(cast: Cast, clock: Clock) -> None:
    """SEC-02: shorter for staff, whose screens others pass by."""
    nurse = Visitor(cast.portal, STAFF, cast.portal.app.test_client())
    open_chart(nurse, OWNER_ID)
    clock.pass_by(minutes=9, seconds=50)
    assert signed_in(nurse.get("/care-team"))
    clock.pass_by(minutes=10, seconds=1)
    assert nurse.get("/care-team").status_code == 303


def test_no_session_lives_longer_than_half_a_day(cast: Cast, clock: Clock) -> None:
    """SEC-02: 12 hours, however busy."""
    visitor = cast.another_patient()
    for _ in range(51):
        clock.pass_by(minutes=14)
        assert signed_in(visitor.get("/connection"))
    clock.pass_by(minutes=7)
    assert not signed_in(visitor.get("/connection"))


def test_signing_out_kills_the_session_here_and_there(cast: Cast) -> None:
    """SEC-01: the row is ended, the cookie removed, the browser told to forget; the old cookie opens nothing."""
    visitor = cast.another_patient()
    kept = visitor.cookie()
    page = visitor.get("/record")
    assert page.headers["Cache-Control"] == "no-store"  # so that "back" has nothing to show
    answer = visitor.post("/sign-out", {})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert "portal=;" in answer.headers["Set-Cookie"]
    assert kept
    assert not signed_in(with_cookie(cast, kept))
    store = cast.portal.app.session_interface
    assert isinstance(store, SessionStore)
    (row,) = cast.portal.rows(
        "SELECT ended_at, content_sealed FROM web_session WHERE id_index = :i", i=store.index_of(kept)
    )
    assert row.ended_at is not None
    assert bytes(row.content_sealed) == b""


def test_signing_out_everywhere_ends_the_others(cast: Cast) -> None:
    """SEC-20: one press ends each session of the account, and of nobody else."""
    first, second = cast.another_patient(), cast.another_patient()
    other = cast.another_patient("rv-p03")
    assert first.post("/sign-out", {}).status_code == 303
    assert signed_in(second.get("/record"))
    third = cast.another_patient()
    assert second.post("/sign-out", {"everywhere": "yes"}).status_code == 303
    assert not signed_in(third.get("/record"))
    assert signed_in(other.get("/record"))


def test_a_request_under_way_does_not_bring_a_session_back(cast: Cast) -> None:
    """SEC-01: a request that began before sign-out and ends after it writes nothing that lives."""
    visitor = cast.another_patient()
    sid, app = visitor.cookie(), cast.portal.app
    store = app.session_interface
    assert sid
    assert isinstance(store, SessionStore)
    with app.test_request_context("/record", headers={"Cookie": f"portal={sid}"}) as under_way:
        late = store.open_session(app, under_way.request)
        assert late.get("kind") == "patient"
        visitor.post("/sign-out", {})
        late["note"] = "late"
        store.save_session(app, late, Response())
    assert not signed_in(with_cookie(cast, sid))


def test_a_session_row_says_nothing_without_the_keys(cast: Cast) -> None:
    """LIB-03, SEC-06: neither the cookie nor the row's content names anybody."""
    visitor = cast.another_patient("rv-p03")
    rows = cast.portal.rows("SELECT * FROM web_session")
    sid = visitor.cookie()
    assert sid
    assert all(sid.encode() not in bytes(row.content_sealed) + bytes(row.id_index) for row in rows)
    assert all(b"patient" not in bytes(row.content_sealed) for row in rows)
