"""Refresh and revocation, bound to the patient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fhir_bridge.providers import Provider
from fhir_bridge.smart.client import SmartClient
from fhir_bridge.smart.errors import (
    LaunchRefused,
    PatientChanged,
    ReconnectNeeded,
)
from fhir_bridge.smart.grant import Grant
from fhir_bridge.smart.refresh import Binding
from tests.parts.fhir_bridge.smart.conftest import Connect
from tests.parts.fhir_bridge.smart.fake_smart_server import NOW, FakeSmartServer, Json
from tests.parts.fhir_bridge.smart.steps import begin


def binding_of(grant: Grant) -> Binding:
    return Binding(grant.identity.issuer, grant.identity.subject, grant.patient)


def test_refresh_rotates_and_keeps_the_patient(server: FakeSmartServer, provider: Provider, connect: Connect) -> None:
    """SMART-47: a new refresh token replaces the old one; without `patient` the binding stays."""
    client = SmartClient(connect(provider))
    request = begin(client, provider)
    grant = client.finish(provider, request, server.authorize(request.url), NOW)
    server.change_token = lambda answer: {
        "access_token": "A2", "token_type": "Bearer", "expires_in": 60, "scope": answer["scope"], "refresh_token": "R2",
    }  # fmt: skip
    fresh = client.refresh(provider, NOW, refresh_token="R1", binding=binding_of(grant))
    assert (fresh.access_token, fresh.refresh_token) == ("A2", "R2")
    assert server.calls("/token")[-1][1] == {
        "grant_type": "refresh_token",
        "refresh_token": "R1",
        "client_id": "portal",
    }


REFRESHES: list[Any] = [
    pytest.param(lambda a: {**a, "patient": "patient-2"}, PatientChanged, "patient-changed", id="patient swapped"),
    pytest.param(lambda a: {"error": "invalid_grant"}, ReconnectNeeded, "invalid-grant", id="invalid_grant"),
    pytest.param(lambda a: {"error": "invalid_client"}, LaunchRefused, "token-invalid_client", id="invalid_client"),
    pytest.param(lambda a: {**a, "expires_in": None}, LaunchRefused, "token-expires-in", id="SMART-44 expires_in"),
    pytest.param(lambda a: {**a, "scope": None}, LaunchRefused, "token-scope", id="SMART-44 scope"),
]


@pytest.mark.parametrize(("change", "kind", "reason"), REFRESHES)
def test_a_refresh_that_must_not_be_used(
    server: FakeSmartServer,
    provider: Provider,
    connect: Connect,
    change: Callable[[Json], Any],
    kind: type[Exception],
    reason: str,
) -> None:
    """SMART-44, SMART-47, abuse case 6: a swapped patient stops; invalid_grant asks to reconnect; none tried twice."""
    client = SmartClient(connect(provider))
    request = begin(client, provider)
    grant = client.finish(provider, request, server.authorize(request.url), NOW)
    server.change_token = change
    with pytest.raises(kind) as caught:
        client.refresh(provider, NOW, refresh_token="R1", binding=binding_of(grant))
    assert str(caught.value) == reason
    assert len(server.calls("/token")) == 2


def test_a_refresh_for_another_subject(server: FakeSmartServer, provider: Provider, connect: Connect) -> None:
    """Abuse case 6: an id_token in a refresh must be the same person's."""
    client = SmartClient(connect(provider))
    request = begin(client, provider)
    grant = client.finish(provider, request, server.authorize(request.url), NOW)
    assert client.refresh(provider, NOW, refresh_token="R1", binding=binding_of(grant)).access_token
    server.change_claims = lambda claims: {**claims, "sub": "subject-2"}
    with pytest.raises(PatientChanged, match="subject-changed"):
        client.refresh(provider, NOW, refresh_token="R1", binding=binding_of(grant))


def test_revocation(server: FakeSmartServer, provider: Provider, connect: Connect) -> None:
    """SMART-49: the token is posted with its kind; a server that is gone is no error of ours."""
    client = SmartClient(connect(provider))
    assert client.revoke(provider, NOW, token="R1", hint="refresh_token")
    assert server.calls("/revoke")[0][1] == {"token": "R1", "token_type_hint": "refresh_token", "client_id": "portal"}
    gone = replace(provider, id="gone", fhir_base_url="http://localhost:9/fhir")
    assert not SmartClient(connect(gone)).revoke(gone, NOW, token="R1", hint="refresh_token")
