"""Servers that try to hold us or to flood us, and answers that are not HTTP."""

from __future__ import annotations

import gzip
import io
import socket
import time
import tracemalloc

import pytest

from outbound.errors import OutboundFailed, OutboundTimeout, OutboundTooLarge
from outbound.limits import Limits
from tests.parts.outbound.conftest import QUICK, Listen, way_to
from tests.parts.outbound.listeners import Script, answer


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
