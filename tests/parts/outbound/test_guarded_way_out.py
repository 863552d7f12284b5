"""The way out over real sockets: canaries that must see nobody, and servers that try to hold or flood us."""

from __future__ import annotations

import gzip
import io
import logging
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from outbound.breaker import Breaker
from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination
from outbound.errors import OutboundFailed, OutboundRefused, OutboundTimeout, OutboundTooLarge
from outbound.limits import Limits
from tests.parts.outbound.listeners import Listener, Script, answer
from tests.support.hostile_addresses import HOSTILE_URLS, LOOPBACK_HOSTS, NEXT_LINKS

Listen = Callable[..., Listener]
QUICK = Limits(connect_seconds=1, read_seconds=0.5, total_seconds=1.0, max_bytes=100_000)


@pytest.fixture
def listen() -> Iterator[Listen]:
    started: list[Listener] = []

    def start(script: Script | None = None, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Listener:
        listener = Listener(script, host=host, tls=tls)
        started.append(listener)
        return listener

    yield start
    for each in started:
        each.stop()


def way_to(*urls: str, **options: object) -> OutboundClient:
    return OutboundClient(
        AllowList(destination(url, private=True) for url in urls),
        **{"limits": QUICK, **options},  # type: ignore[arg-type]
    )


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


def chunks_of(piece: bytes, pause: float) -> Script:
    def drip(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            time.sleep(pause)

    return drip


def drip_head(connection: socket.socket, _head: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-Slow: 1\r\n"[:1])
        time.sleep(0.05)


def silence(_connection: socket.socket, _head: bytes) -> None:
    time.sleep(30)


@pytest.mark.parametrize("script", [chunks_of(b"x", 0.05), drip_head, silence], ids=["body", "head", "silence"])
def test_a_slow_answer_is_cut(listen: Listen, script: Script) -> None:
    """SEC-05, abuse case 25: each piece comes in time, the whole does not; the call ends at its deadline."""
    slow = listen(script)
    client = way_to(slow.url)
    for call in (lambda: client.request("GET", slow.url), lambda: client.guarded_session().get(slow.url)):
        began = time.monotonic()
        with pytest.raises(OutboundTimeout):
            call()
        assert time.monotonic() - began < QUICK.total_seconds + 0.5


def test_a_host_that_does_not_pick_up(listen: Listen) -> None:
    """SEC-05: the time to connect has its own, shorter limit."""
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = full.getsockname()[1]
    waiting = [socket.socket() for _ in range(4)]
    for each in waiting:
        each.setblocking(False)
        each.connect_ex(("127.0.0.1", port))
    client = way_to(f"http://127.0.0.1:{port}", limits=Limits(connect_seconds=0.3, read_seconds=5, total_seconds=10))
    began = time.monotonic()
    with pytest.raises(OutboundTimeout):
        client.request("GET", f"http://127.0.0.1:{port}/")
    assert time.monotonic() - began < 1.5
    for each in (*waiting, full):
        each.close()


def bomb(layers: int) -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9) as out:
        for _ in range(200):
            out.write(b"\0" * 1_000_000)
    data = packed.getvalue()
    for _ in range(layers - 1):
        data = gzip.compress(data, 9)
    return data


@pytest.mark.parametrize("layers", [1, 2])
def test_a_gzip_bomb_stops_at_the_cap(listen: Listen, layers: int) -> None:
    """SEC-05, abuse case 25: 200 MB behind 200 kB; the decompressed size counts and little memory is used."""
    packed = bomb(layers)
    encoding = "Content-Encoding: " + ", ".join(["gzip"] * layers)
    server = listen(lambda connection, _head: connection.sendall(answer("200 OK", packed, encoding)))
    client = way_to(server.url, limits=Limits(max_bytes=1_000_000))
    tracemalloc.start()
    with pytest.raises(OutboundTooLarge):
        client.request("GET", server.url)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 200_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n30d40\r\n" + b"x" * 200_000 + b"\r\n0\r\n\r\n",
    ],
    ids=["declared", "until close", "chunked"],
)
def test_an_answer_over_the_cap_is_refused(listen: Listen, raw: bytes) -> None:
    """SEC-05: however the size is told, or not told."""

    def send(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)

    server = listen(send)
    with pytest.raises(OutboundTooLarge):
        way_to(server.url).request("GET", server.url)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
    ids=["nothing", "garbage", "short", "bad chunk", "not gzip", "many headers", "long header"],
)
def test_an_answer_that_is_not_http(listen: Listen, raw: bytes) -> None:
    """SEC-05: broken answers are OutboundFailed, one kind for all callers."""

    def send(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_RDWR)

    server = listen(send)
    with pytest.raises(OutboundFailed):
        way_to(server.url).request("POST", server.url, body=b"x")


def test_connections_are_kept_and_a_dead_one_is_replaced(listen: Listen) -> None:
    """The pool: many calls, one connection; one that died unseen costs a GET nothing and is never re-sent as POST."""
    alive = listen()
    client = way_to(alive.url)
    for _ in range(20):
        client.request("GET", alive.url)
    assert alive.connections == 1

    def answer_once(connection: socket.socket, _head: bytes) -> None:
        if len(dying.heads) % 2 == 1:
            connection.sendall(answer(body=b"{}"))
        else:
            connection.close()

    dying = listen(answer_once)
    again = way_to(dying.url)
    assert [again.request("GET", f"{dying.url}/{each}").status for each in range(2)] == [200, 200]
    assert len(dying.heads) == 3
    with pytest.raises(OutboundFailed):
        again.request("POST", f"{dying.url}/last", body=b"once")
    assert sum(b"POST" in head for head in dying.heads) == 1


def test_many_threads_share_one_client(listen: Listen) -> None:
    """The client is for the whole process: 8 threads, 200 calls, each with its own answer."""
    server = listen(lambda connection, head: connection.sendall(answer(body=head.split(b" ")[1])))
    client, wrong = way_to(server.url), []

    def work(number: int) -> None:
        for each in range(25):
            path = f"/{number}/{each}"
            if client.request("GET", server.url + path).body != path.encode():
                wrong.append(path)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


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


def test_no_address_reaches_a_log(
    listen: Listen, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """SEC-07: at DEBUG, of a call that works and of those that fail, no path, query, token or body is written."""
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


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(
        subject,
        subject,
        key.public_key(),
        x509.random_serial_number(),
        now - timedelta(days=1),
        now + timedelta(days=1),
    )
    signed = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False).sign(key, hashes.SHA256())
    pem, key_pem = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key_pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key_pem)
    return context, str(pem)


def test_tls_is_checked_for_the_name(listen: Listen, tmp_path: Path) -> None:
    """SEC-05: pinning the number does not weaken the certificate check; verify=False is not taken."""
    context, bundle = certificate(tmp_path, "localhost")
    server = listen(tls=context)
    assert way_to(server.url, ca_bundle=bundle).request("GET", server.url).status == 200
    with pytest.raises(OutboundFailed, match="tls"):
        way_to(server.url).request("GET", server.url)
    with pytest.raises(OutboundFailed, match="tls"):
        way_to(server.url).guarded_session().get(server.url, verify=False)
    other_context, other_bundle = certificate(tmp_path, "other.example")
    other = listen(tls=other_context)
    with pytest.raises(OutboundFailed, match="tls"):
        way_to(other.url, ca_bundle=other_bundle).request("GET", other.url)
