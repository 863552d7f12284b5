"""Fake SMART servers and the way to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from fhir_bridge.providers import Provider
from outbound.client import OutboundClient
from outbound.destinations import AllowList
from tests.parts.fhir_bridge.smart.fake_smart_server import SCOPE, FakeSmartServer

Connect = Callable[..., OutboundClient]


@pytest.fixture
def server() -> Iterator[FakeSmartServer]:
    fake = FakeSmartServer().start()
    yield fake
    fake.stop()


@pytest.fixture
def other_server() -> Iterator[FakeSmartServer]:
    fake = FakeSmartServer().start()
    yield fake
    fake.stop()


@pytest.fixture
def provider(server: FakeSmartServer) -> Provider:
    return provider_at(server, "one")


@pytest.fixture
def connect() -> Iterator[Connect]:
    clients: list[OutboundClient] = []

    def make(*providers: Provider) -> OutboundClient:
        client = OutboundClient(AllowList(each for provider in providers for each in provider.destinations()))
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


def provider_at(server: FakeSmartServer, provider_id: str, **changes: object) -> Provider:
    values: dict[str, object] = {
        "id": provider_id, "name": "A hospital", "state": "MA", "fhir_base_url": server.fhir, "client_id": "portal",
        "client_auth": "public", "scopes": SCOPE, "private": True,
    }  # fmt: skip
    return Provider(**{**values, **changes})  # type: ignore[arg-type]  # changes are fields by name
