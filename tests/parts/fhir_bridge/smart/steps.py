"""The two steps of a launch, as a browser and we would take them."""

from __future__ import annotations

import json
import secrets

from fhir_bridge.providers import Provider
from fhir_bridge.smart.client import SmartClient
from fhir_bridge.smart.grant import Grant
from fhir_bridge.smart.launch import LaunchRequest
from outbound.client import OutboundClient
from tests.parts.fhir_bridge.smart.fake_smart_server import NOW, FakeSmartServer

REDIRECT = "http://127.0.0.1:8000/callback/one"


def begin(client: SmartClient, provider: Provider, launch: str | None = None) -> LaunchRequest:
    request = client.begin(
        provider, NOW, redirect_uri=REDIRECT, entropy=secrets.token_bytes(96), launch_value=launch, offline=True
    )
    stored = json.loads(json.dumps(request.as_stored()))
    assert LaunchRequest.from_stored(stored).as_stored() == request.as_stored()
    return request


def sign_in(http: OutboundClient, server: FakeSmartServer, provider: Provider, **params: str) -> Grant:
    client = SmartClient(http)
    request = begin(client, provider)
    return client.finish(provider, request, {**server.authorize(request.url), **params}, NOW)
