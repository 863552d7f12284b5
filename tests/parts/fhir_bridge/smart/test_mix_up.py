"""Two servers, one of them hostile: no code and no token reaches the wrong one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from fhir_bridge.providers import Provider
from fhir_bridge.smart.client import SmartClient
from fhir_bridge.smart.errors import (
    LaunchRefused,
    ProviderUnavailable,
)
from tests.parts.fhir_bridge.smart.conftest import Connect, provider_at
from tests.parts.fhir_bridge.smart.fake_smart_server import NOW, FakeSmartServer, Json
from tests.parts.fhir_bridge.smart.steps import begin, sign_in

FOREIGN = ["token_endpoint", "authorization_endpoint", "jwks_uri", "revocation_endpoint", "introspection_endpoint"]


@pytest.mark.parametrize("key", FOREIGN)
def test_an_endpoint_at_another_listed_provider_is_refused(
    server: FakeSmartServer, other_server: FakeSmartServer, connect: Connect, key: str
) -> None:
    """SMART-15, abuse case 3: another provider's host is on the list, and still not this one's."""
    one, two = provider_at(server, "one"), provider_at(other_server, "two")
    server.change_configuration = lambda document: {**document, key: f"{other_server.url}/token"}
    with pytest.raises(ProviderUnavailable, match=f"configuration-foreign-{key.replace('_', '-')}"):
        begin(SmartClient(connect(one, two)), one)
    assert other_server.seen == []


def test_a_code_of_one_provider_at_the_callback_of_another(
    server: FakeSmartServer, other_server: FakeSmartServer, connect: Connect
) -> None:
    """SMART-15, abuse case 3: every crossing of two servers is refused with no token call."""
    one, two = provider_at(server, "one"), provider_at(other_server, "two")
    client = SmartClient(connect(one, two))
    for _ in range(10):
        at_one, at_two = begin(client, one), begin(client, two)
        for provider, request, params in (
            (one, at_two, other_server.authorize(at_two.url)),
            (two, at_one, server.authorize(at_one.url)),
            (one, at_one, other_server.authorize(at_two.url)),
            (one, at_one, {**server.authorize(at_one.url), "iss": other_server.url}),
        ):
            with pytest.raises(LaunchRefused):
                client.finish(provider, request, params, NOW)
    assert server.calls("/token") == other_server.calls("/token") == []


def test_a_token_endpoint_that_moves_between_begin_and_callback_gets_no_code(
    server: FakeSmartServer, provider: Provider, connect: Connect
) -> None:
    """SMART-15: the launch is bound to the addresses it began with."""
    client = SmartClient(connect(provider))
    request = begin(client, provider)
    server.change_configuration = lambda document: {**document, "token_endpoint": f"{server.url}/elsewhere"}
    with pytest.raises(LaunchRefused, match="configuration-changed"):
        client.finish(provider, request, server.authorize(request.url), NOW + timedelta(hours=1))
    assert server.calls("/elsewhere") == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda document: {**document, "issuer": "https://evil.example"}, "openid-configuration-iss"),
        (lambda document: {**document, "jwks_uri": "http://localhost:1/keys"}, "openid-configuration-jwks-uri"),
    ],
)
def test_an_openid_configuration_that_points_elsewhere(
    server: FakeSmartServer, provider: Provider, connect: Connect, change: Callable[[Json], Json], reason: str
) -> None:
    """SMART-60, SEC-11: keys come from the configured issuer only."""
    server.change_openid = change
    with pytest.raises(LaunchRefused, match=reason):
        sign_in(connect(provider), server, provider)
