"""The way out over real sockets: canaries that must see nobody, and tokens that must stay at home."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import requests
import structlog

from outbound.breaker import Breaker
from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination
from outbound.errors import OutboundFailed, OutboundRefused
from tests.parts.outbound.conftest import QUICK, Listen, way_to
from tests.parts.outbound.listeners import answer
from tests.support.hostile_addresses import HOSTILE_URLS, LOOPBACK_HOSTS, NEXT_LINKS


def test_canaries_see_nobody(listen: Listen) -> None:
    """SEC-05, SMART-21, abuse case 1: over 200 spellings, with canaries on loopback: 0 connections."""
    listed = listen()
    canaries = [listen(), listen(host="::1")]
    client = way_to(listed.url)
    spelled = [*HOSTILE_URLS]
    for canary in canaries:
        for host in LOOPBACK_HOSTS:
            spelled.append(f"http://{host}:{canary.port}/")
            spelled.append(f"http://localhost:{listed.port}@{host}:{canary.port}/")
    for url in spelled:
        for call in (
            lambda url: client.request("GET", url),
            lambda url: client.guarded_session().get(url),
            lambda url: client.guarded_session(within=listed.url).get(url, headers={"Authorization": "Bearer t"}),
        ):
            with pytest.raises((OutboundRefused, requests.RequestException)):
                call(url)
    time.sleep(0.05)
    assert [each.connections for each in (*canaries, listed)] == [0, 0, 0]


def test_a_token_stays_below_its_base(listen: Listen) -> None:
    """LIB-02, SMART-46, abuse case 2: a second listed server never sees Authorization, nor does another path."""
    home, foreign = listen(), listen()
    client = way_to(home.url, foreign.url)
    base, token = f"{home.url}/tenant/fhir", {"Authorization": "Bearer canary"}
    links = [link.replace("https://ehr.example", home.url) for link in NEXT_LINKS]
    links += [f"{foreign.url}/tenant/fhir", f"{home.url}@localhost:{foreign.port}/tenant/fhir"]
    for link in links:
        with pytest.raises(OutboundRefused):
            client.request("GET", link, headers=token, within=base)
    with pytest.raises(OutboundRefused, match="secret-without-lock"):
        client.request("GET", f"{home.url}/tenant/fhir", headers={"authorization": "Bearer canary"})
    with pytest.raises(OutboundRefused, match="secret-without-lock"):
        client.guarded_session().get(base, auth=("name", "password"))
    assert (home.heads, foreign.heads) == ([], [])
    client.request("GET", f"{base}/Patient/1", headers=token, within=base)
    assert b"Authorization: Bearer canary" in home.heads[0]


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_an_answer(listen: Listen, status: str) -> None:
    """SEC-05: never followed, by either face, not even to another listed host."""
    elsewhere = listen()

    def redirect(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(answer(status, b"", f"Location: {elsewhere.url}/x"))

    home = listen(redirect)
    client = way_to(home.url, elsewhere.url)
    assert client.request("GET", home.url).status == int(status[:3])
    session = client.guarded_session()
    assert session.post(home.url, data=b"code=canary", allow_redirects=True).status_code == int(status[:3])
    assert elsewhere.connections == 0


def test_a_name_that_changes_its_mind_is_caught(listen: Listen) -> None:
    """SEC-05: DNS rebinding. The check and the connection use one look-up; a second answer is checked as well."""
    canary = listen()
    answers: list[Sequence[str]] = []
    asked: list[str] = []

    def resolver(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return answers.pop(0)

    url = f"https://rebind.example:{canary.port}/"
    client = OutboundClient(AllowList([destination(url, private=False)]), limits=QUICK, resolver=resolver)
    for found in (["127.0.0.1"], ["::1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["169.254.169.254"]):
        answers.append(found)
        with pytest.raises(OutboundRefused, match="address-not-public"):
            client.request("GET", url)
    assert len(asked) == 5
    assert canary.connections == 0


def test_a_private_host_leads_to_this_machine_only(listen: Listen) -> None:
    """SEC-05: `network = "private"` does not open the inner network."""
    client = OutboundClient(
        AllowList([destination("http://localhost:9/", private=True)]), resolver=lambda _host, _port: ["10.0.0.7"]
    )
    with pytest.raises(OutboundRefused, match="address-not-loopback"):
        client.request("GET", "http://localhost:9/")


def test_cookies_are_not_carried_from_one_person_to_the_next(listen: Listen) -> None:
    """SEC-08: connections are shared between patients, so nothing a server sets comes back."""
    server = listen(lambda connection, _head: connection.sendall(answer("200 OK", b"", "Set-Cookie: who=alma; Path=/")))
    client = way_to(server.url)
    session = client.guarded_session()
    for _ in range(2):
        client.request("GET", server.url)
        session.get(server.url)
    assert not any(b"Cookie" in head for head in server.heads)


def test_the_environment_changes_nothing(listen: Listen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SEC-05: proxies and .netrc of the environment would carry tokens past the guard."""
    canary, server = listen(), listen()
    (tmp_path / ".netrc").write_text("machine localhost login canary password canary\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    client = way_to(server.url)
    client.request("GET", server.url)
    client.guarded_session().get(server.url, proxies={"http": f"http://127.0.0.1:{canary.port}"})
    assert canary.connections == 0
    assert not any(b"uthorization" in head for head in server.heads)


def test_a_caller_may_not_name_another_host(listen: Listen) -> None:
    """SEC-05: the Host header is the address's own."""
    server = listen()
    with pytest.raises(OutboundRefused, match="host-header"):
        way_to(server.url).request("GET", server.url, headers={"Host": "evil.example"})


def test_what_is_not_a_request_is_not_sent(listen: Listen) -> None:
    """SEC-05: a line end in a header or a space in a method would make two requests of one."""
    server = listen()
    client = way_to(server.url)
    for headers in (
        {"X-Note": "a\r\nX-More: b"},
        {"X-Note\r\nX-More": "b"},
        {"X-Note": "a\n folded"},
        {"X-Note": "中"},
    ):
        with pytest.raises(OutboundRefused, match="request-form"):
            client.request("GET", server.url, headers=headers)
    with pytest.raises(OutboundRefused, match="request-form"):
        client.request("GET / HTTP/1.1\r\nX: y\r\n\r\nGET", server.url)
    assert server.heads == []
    asked = client.request("POST", f"{server.url}/?a=1", params={"b": "ü &"}, form={"code": "x y"})
    assert asked.status == 200
    assert server.heads[0].startswith(b"POST /?a=1&b=%C3%BC+%26 HTTP/1.1\r\n")
    assert b"Content-Type: application/x-www-form-urlencoded\r\n" in server.heads[0]
    assert b"Content-Length: 8\r\n" in server.heads[0]


def test_no_address_reaches_a_log(
    listen: Listen, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """SEC-07: at DEBUG, of a call that works and of those that fail, no path, query, token or body is written."""
    structlog.reset_defaults()  # another test may have sent the logs elsewhere
    caplog.set_level(logging.DEBUG)
    server = listen(lambda connection, _head: connection.sendall(answer(body=b"BODY-canary")))
    client = way_to(server.url)
    token = {"Authorization": "Bearer TOKEN-canary"}
    url = f"{server.url}/PATH-canary?patient=QUERY-canary"
    client.request("GET", url, headers=token, within=server.url)
    for bad in (f"https://HOST-canary.example/{url}", f"{server.url}/other?x=QUERY-canary"):
        with pytest.raises(OutboundRefused):
            client.request("GET", bad, headers=token, within=f"{server.url}/PATH-canary")
    server.script = lambda connection, _head: connection.close()
    with pytest.raises(OutboundFailed):
        client.request("GET", url, headers=token, within=server.url)
    shown = caplog.text + "".join(capsys.readouterr())
    assert "outbound.failed" in shown
    assert "canary" not in shown


def test_an_origin_that_fails_rests(listen: Listen) -> None:
    """SEC-10: after failures in a row nothing is sent for a while; another origin is not held up."""
    bad, good = listen(lambda connection, _head: connection.close()), listen()
    client = way_to(bad.url, good.url, breaker=Breaker(threshold=3, pause_seconds=60))
    for _ in range(6):
        with pytest.raises(OutboundFailed):
            client.request("POST", bad.url)
    assert len(bad.heads) == 3
    assert client.request("GET", good.url).status == 200


def test_a_checked_socket_for_mail(listen: Listen) -> None:
    """SEC-05: what is not HTTP goes through the same list and the same look-up."""
    server = listen()
    client = way_to(f"smtp://localhost:{server.port}")
    client.open_socket(f"smtp://localhost:{server.port}").close()
    for url in (f"smtp://localhost:{server.port + 1}", f"http://localhost:{server.port}", "smtp://evil.example:25"):
        with pytest.raises(OutboundRefused):
            client.open_socket(url)
    with pytest.raises(OutboundRefused):
        client.request("GET", f"smtp://localhost:{server.port}/")
