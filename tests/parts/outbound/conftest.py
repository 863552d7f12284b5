"""Listeners that stop when the test ends, and a client that is quick to give up."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator

import pytest

from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination
from outbound.limits import Limits
from tests.parts.outbound.listeners import Listener, Script

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
        **{"limits": QUICK, **options},  # type: ignore[arg-type]  # options are keywords by name
    )
