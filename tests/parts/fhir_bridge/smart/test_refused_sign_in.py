"""The launch against servers that lie: each lie leaves nobody signed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fhir_bridge.providers import Provider
from fhir_bridge.smart.errors import (
    LaunchDenied,
    LaunchRefused,
    ProviderUnavailable,
)
from tests.parts.fhir_bridge.smart.conftest import Connect
from tests.parts.fhir_bridge.smart.fake_smart_server import NOW, FakeSmartServer, Json
from tests.parts.fhir_bridge.smart.steps import sign_in

CALLBACKS = [
    pytest.param({"state": "wrong"}, LaunchRefused, "callback-state", id="SMART-11 wrong state"),
    pytest.param({"state": ""}, LaunchRefused, "callback-state", id="SMART-11 empty state"),
    pytest.param({"error": "access_denied"}, LaunchDenied, "access-denied", id="SMART-14 denied"),
    pytest.param({"error": "<script>"}, LaunchRefused, "callback-error", id="SMART-14 other error"),
    pytest.param({"iss": "https://evil.example"}, LaunchRefused, "callback-iss", id="SMART-15 foreign iss"),
    pytest.param({"iss": ""}, LaunchRefused, "callback-iss", id="SMART-15 empty iss"),
    pytest.param({"code": ""}, LaunchRefused, "callback-code", id="no code"),
    pytest.param({"code": "a\r\nb"}, LaunchRefused, "callback-code", id="code with line break"),
]


@pytest.mark.parametrize(("params", "kind", "reason"), CALLBACKS)
def test_a_bad_callback_makes_no_token_call(
    server: FakeSmartServer, provider: Provider, connect: Connect, params: dict[str, str], kind: type, reason: str
) -> None:
    """SMART-11, SMART-14, SMART-15: refused before anything is sent."""
    with pytest.raises((LaunchRefused, LaunchDenied)) as caught:
        sign_in(connect(provider), server, provider, **params)
    assert (type(caught.value), caught.value.reason) == (kind, reason)
    assert server.calls("/token") == []


def test_the_right_issuer_in_the_callback_is_accepted(
    server: FakeSmartServer, provider: Provider, connect: Connect
) -> None:
    """SMART-15: RFC 9207 `iss` that equals the expected one."""
    assert sign_in(connect(provider), server, provider, iss=server.url).patient == "patient-1"


def test_a_promised_issuer_must_come(server: FakeSmartServer, provider: Provider, connect: Connect) -> None:
    """SMART-15: a server that says it names itself and then does not is not believed (RFC 9207)."""
    server.change_configuration = lambda document: {
        **document,
        "authorization_response_iss_parameter_supported": True,
    }
    with pytest.raises(LaunchRefused, match="callback-iss"):
        sign_in(connect(provider), server, provider)


CLAIMS: list[Any] = [
    pytest.param({"iss": "https://evil.example"}, "id-token-iss", id="iss"),
    pytest.param({"aud": "other"}, "id-token-aud", id="aud"),
    pytest.param({"aud": "other", "azp": "portal"}, "id-token-aud", id="LIB-05 aud other, azp ours"),
    pytest.param({"nonce": "x" * 43}, "id-token-nonce", id="SMART-61 nonce"),
    pytest.param({"nonce": None}, "id-token-nonce", id="SMART-61 nonce missing"),
    pytest.param({"exp": int(NOW.timestamp()) - 61}, "id-token-exp", id="exp"),
    pytest.param({"fhirUser": "Patient/other"}, "fhir-user-other-patient", id="SMART-62 other patient"),
    pytest.param({"fhirUser": "https://evil.example/Patient/patient-1"}, "fhir-user-form", id="SMART-62 host"),
    pytest.param({"fhirUser": "Device/1"}, "fhir-user-form", id="SMART-62 type"),
    pytest.param({"fhirUser": None}, "fhir-user-missing", id="SMART-62 none"),
]


@pytest.mark.parametrize(("changes", "reason"), CLAIMS)
def test_a_wrong_claim_signs_nobody_in(
    server: FakeSmartServer, provider: Provider, connect: Connect, changes: Json, reason: str
) -> None:
    """SMART-60, SMART-61, SMART-62, LIB-05: one broken claim each."""
    server.change_claims = lambda claims: {**claims, **changes}
    with pytest.raises(LaunchRefused) as caught:
        sign_in(connect(provider), server, provider)
    assert caught.value.reason == reason


TOKENS: list[Any] = [
    pytest.param(lambda answer: {**answer, "access_token": None}, "token-access-token", id="access_token"),
    pytest.param(lambda answer: {**answer, "access_token": "a\r\nb"}, "token-access-token", id="header injection"),
    pytest.param(lambda answer: {**answer, "token_type": None}, "token-type", id="token_type"),
    pytest.param(lambda answer: {**answer, "token_type": "mac"}, "token-type", id="token_type mac"),
    pytest.param(lambda answer: {k: v for k, v in answer.items() if k != "scope"}, "token-scope", id="scope"),
    pytest.param(lambda answer: {**answer, "expires_in": -1}, "token-expires-in", id="expires_in negative"),
    pytest.param(lambda answer: {**answer, "expires_in": True}, "token-expires-in", id="expires_in flag"),
    pytest.param(lambda answer: {**answer, "patient": None}, "no-patient", id="SMART-45 no patient"),
    pytest.param(lambda answer: {**answer, "patient": "../x"}, "patient-form", id="SMART-45 patient form"),
    pytest.param(lambda answer: {**answer, "patient": 7}, "patient-form", id="SMART-45 patient number"),
    pytest.param(lambda answer: {**answer, "id_token": None}, "id-token-missing", id="id_token"),
    pytest.param(lambda answer: {**answer, "id_token": "a.b.c"}, "id-token-header", id="id_token garbage"),
    pytest.param(lambda answer: [answer], "token-not-an-object", id="list"),
    pytest.param(lambda answer: "<html>", "token-not-json", id="html"),
    pytest.param(lambda answer: "[" * 100_000, "token-not-json", id="deep"),
    pytest.param(lambda answer: {"error": "invalid_grant"}, "token-invalid_grant", id="error with 200"),
    pytest.param(lambda answer: {"error": "<b>", "error_description": "x"}, "token-error", id="error is not echoed"),
]


@pytest.mark.parametrize(("change", "reason"), TOKENS)
def test_a_wrong_token_answer_signs_nobody_in(
    server: FakeSmartServer, provider: Provider, connect: Connect, change: Callable[[Json], Any], reason: str
) -> None:
    """SMART-44, SMART-45: missing or wrong, fail closed."""
    server.change_token = change
    with pytest.raises(LaunchRefused) as caught:
        sign_in(connect(provider), server, provider)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (500, ProviderUnavailable, "status-500"),
        (429, ProviderUnavailable, "status-429"),
        (400, LaunchRefused, "token-status"),
        (302, LaunchRefused, "token-status"),
    ],
)
def test_a_token_with_a_wrong_status_is_no_token(
    server: FakeSmartServer, provider: Provider, connect: Connect, status: int, kind: type, reason: str
) -> None:
    """SMART-44: Authlib would take the body of any status; we do not."""
    server.token_status = status
    with pytest.raises((ProviderUnavailable, LaunchRefused)) as caught:
        sign_in(connect(provider), server, provider)
    assert (type(caught.value), caught.value.reason) == (kind, reason)
