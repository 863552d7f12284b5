"""A launch from a chart that is refused: unknown, misspelt or hostile addresses (SMART-20…22, abuse case 1)."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from patient_portal.app import create_app
from patient_portal.wiring import Wiring
from tests.support.actors import Cast, Visitor, begin
from tests.support.hostile_addresses import HOSTILE_URLS
from tests.support.refusals import in_spanish, nothing_kept, refused, visitor

__all__ = ["nothing_kept", "visitor"]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every name this process looks up and every address it connects to (PostgreSQL's own client is not Python's)."""
    seen: list[Any] = []
    look_up, connect = socket.getaddrinfo, socket.socket.connect

    def looked_up(*args: Any, **named: Any) -> Any:
        seen.append(args)
        return look_up(*args, **named)

    def connected(self: socket.socket, address: Any) -> None:
        seen.append(address)
        connect(self, address)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    monkeypatch.setattr(socket.socket, "connect", connected)
    return seen


@pytest.mark.usefixtures("nothing_kept")
def test_an_unknown_hospital_is_never_called(cast: Cast, visitor: Visitor, calls: list[Any]) -> None:
    """SMART-21, SEC-05, abuse case 1: 400 or 403 for each spelling, and not one look-up or connection."""
    wrong = []
    for url in HOSTILE_URLS:
        answer = visitor.get(f"/launch?launch=x&iss={quote(url, safe='')}")
        if answer.status_code not in {400, 403}:
            wrong.append((url[:60], answer.status_code))
    assert wrong == []
    assert calls == []
    begin(visitor)
    assert calls  # the watch sees what is really called


@pytest.mark.usefixtures("nothing_kept")
def test_a_near_miss_of_a_listed_hospital(cast: Cast, visitor: Visitor, calls: list[Any]) -> None:
    """SMART-21: only the exact base is known; a listener at the same address but another path hears nothing."""
    base = cast.portal.hospitals["riverside"].fhir_url
    for near in (
        base + "/",
        base.upper(),
        base + "/..",
        base.replace("localhost", "127.0.0.1"),
        base + "?x",
        base[:-1],
    ):
        answer = visitor.get("/launch", query_string={"iss": near, "launch": "x"})
        refused(cast, visitor, answer, 403, "This hospital is not set up with us")
    assert calls == []
    words = "This hospital is not set up with us"
    in_spanish(cast, visitor, lambda: visitor.get("/launch?iss=https://ehr.example/fhir&launch=x"), words)


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "without saying which hospital"),
        ("iss=https://ehr.example/fhir", "without saying which hospital"),
        ("launch=x", "without saying which hospital"),
        ("iss=not-an-address&launch=x", "is not a web address"),
        ("iss=https://&launch=x", "is not a web address"),
        ("iss=https://%5B::1/fhir&launch=x", "is not a web address"),
        ("iss=https://ehr.example:99999/&launch=x", "is not a web address"),
        ("iss=javascript:alert(1)&launch=x", "is not a web address"),
    ],
)
def test_a_launch_that_cannot_be_read(cast: Cast, visitor: Visitor, query: str, words: str) -> None:
    """SMART-20: 400 with words that a help desk can use, in each language."""
    refused(cast, visitor, visitor.get(f"/launch?{query}"), 400, words)
    in_spanish(cast, visitor, lambda: visitor.get(f"/launch?{query}"), words)


@pytest.mark.usefixtures("nothing_kept")
def test_staff_are_told_what_fits_them(cast: Cast, visitor: Visitor) -> None:
    """SMART-20, SMART-02: a hospital that is away when a chart opens us: back there, not to a patient's sign-in."""
    hospital = cast.portal.hospitals["riverside"]
    hospital.hospital.faults.set({"configuration": "503"})
    asked = {"iss": hospital.fhir_url, "launch": "x"}
    answer = visitor.get("/launch", query_string=asked)
    refused(cast, visitor, answer, 503, "open us from the chart again")
    assert "/sign-in/riverside" not in answer.text
    in_spanish(cast, visitor, lambda: visitor.get("/launch", query_string=asked), "open us from the chart again")


@pytest.mark.usefixtures("nothing_kept")
def test_a_launch_with_a_used_or_invented_value(cast: Cast, visitor: Visitor) -> None:
    """SMART-22: the hospital refuses it, and so do we."""
    base = cast.portal.hospitals["riverside"].fhir_url
    for value in ("invented", "x" * 5000, "\x00", "é"):
        sent = visitor.get("/launch", query_string={"iss": base, "launch": value})
        assert sent.status_code in {302, 400}
    assert visitor.get("/care-team").status_code == 303


def test_in_the_charts_own_frame(cast: Cast) -> None:
    """SMART-23: only what opens from the chart may be framed, by that chart's origins alone; only that session's cookie
    goes along inside another site's frame."""
    wiring = cast.portal.wiring
    framing = tuple(
        replace(each, frame_origins=("https://chart.example",)) if each.id == "riverside" else each
        for each in wiring.settings.providers
    )
    settings = replace(wiring.settings, base_url="https://portal.example.org", providers=framing)
    browser = create_app(Wiring(settings, wiring.database, wiring.keyring, wiring.http)).test_client()
    https = {"base_url": "https://portal.example.org"}
    for place, framed in ((framing[0], True), (framing[1], False)):
        asked = {"iss": place.fhir_base_url, "launch": "from-the-chart"}
        sent = browser.get("/launch", query_string=asked, **https)
        assert sent.status_code == 302, sent.text
        cookie = next(each for each in sent.headers.getlist("Set-Cookie") if each.startswith("__Host-portal="))
        ancestors = "https://chart.example" if framed else "'none'"
        assert f"frame-ancestors {ancestors};" in sent.headers["Content-Security-Policy"]
        assert ({"SameSite=None", "Secure", "Partitioned"} <= set(cookie.split("; "))) is framed
        assert ("SameSite=Lax" in cookie) is not framed
        public = browser.get("/sign-in", **https)
        assert "frame-ancestors 'none';" in public.headers["Content-Security-Policy"]
        browser = browser.application.test_client()
