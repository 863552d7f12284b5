"""The whole launch against a server that can lie: what must succeed, and what must leave nobody signed in."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from fhir_bridge.providers import Provider
from fhir_bridge.smart.client import SmartClient
from fhir_bridge.smart.client_keys import ClientKeys, public_jwks, read_client_keys
from fhir_bridge.smart.context import LaunchRole
from fhir_bridge.smart.errors import (
    LaunchDenied,
    LaunchRefused,
    PatientChanged,
    ProviderUnavailable,
    ReconnectNeeded,
)
from fhir_bridge.smart.grant import Grant
from fhir_bridge.smart.launch import LaunchRequest
from fhir_bridge.smart.refresh import Binding
from outbound.client import OutboundClient
from tests.parts.fhir_bridge.smart.conftest import Connect, provider_at
from tests.parts.fhir_bridge.smart.fake_smart_server import NOW, FakeSmartServer, Json

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


def ec_keys() -> ClientKeys:
    return read_client_keys(json.dumps(ECKey.generate_key("P-384", {"kid": "ec1"}).as_dict(private=True)))


def rsa_keys() -> ClientKeys:
    return read_client_keys(json.dumps(RSAKey.generate_key(2048, {"kid": "rsa1"}).as_dict(private=True)))


def test_a_public_client_signs_in(server: FakeSmartServer, provider: Provider, connect: Connect) -> None:
    """LIB-01, SMART-01, SMART-40, SMART-44, SMART-45, SMART-61: the plain path; no CapabilityStatement is read."""
    grant = sign_in(connect(provider), server, provider)
    assert (grant.patient, grant.role, grant.identity.subject) == ("patient-1", LaunchRole.SELF, "subject-1")
    assert grant.expires_at == NOW + timedelta(hours=1)
    assert grant.need_patient_banner
    assert grant.intent == "summary"
    assert grant.raw_extra == {"tenant": "t1"}
    headers, form = server.calls("/token")[0]
    assert "Authorization" not in headers
    assert {name: form[name] for name in ("grant_type", "code", "redirect_uri", "client_id")} == {
        "grant_type": "authorization_code",
        "code": "code-1",
        "redirect_uri": REDIRECT,
        "client_id": "portal",
    }
    assert {path for _, path, _, _ in server.seen} == {
        "/tenant/fhir/.well-known/smart-configuration",
        "/.well-known/openid-configuration",
        "/keys",
        "/token",
    }
    configuration = server.calls("/tenant/fhir/.well-known/smart-configuration")
    assert configuration[0][0]["Accept"] == "application/json"


def test_a_grant_prints_no_secret(server: FakeSmartServer, provider: Provider, connect: Connect) -> None:
    """SEC-07: repr() and str() of what a launch makes hold no token and no person."""
    client = SmartClient(connect(provider))
    request = begin(client, provider)
    grant = client.finish(provider, request, server.authorize(request.url), NOW)
    shown = f"{grant!r} {grant.identity!r} {request!r} {provider!r}"
    for secret in ("canary", "patient-1", "subject-1", "Alma", request.state, request.code_verifier):
        assert secret not in shown


def test_a_symmetric_client_sends_its_secret_only_in_the_header(server: FakeSmartServer, connect: Connect) -> None:
    """SMART-41: Basic authentication; neither secret nor client_id in the body."""
    provider = provider_at(server, "one", client_auth="client_secret_basic", client_secret="s3cret-canary")
    sign_in(connect(provider), server, provider)
    headers, form = server.calls("/token")[0]
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"portal:s3cret-canary"
    assert "client_id" not in form
    assert "s3cret-canary" not in json.dumps(form)


@pytest.mark.parametrize(("make_keys", "alg"), [(ec_keys, "ES384"), (rsa_keys, "RS384")])
def test_an_asymmetric_client_signs_a_fresh_assertion(
    server: FakeSmartServer, connect: Connect, make_keys: Callable[[], ClientKeys], alg: str
) -> None:
    """LIB-06, SMART-42: kid, typ, aud and short life; two calls have two `jti`."""
    keys = make_keys()
    provider = provider_at(server, "one", client_auth="private_key_jwt", client_keys=keys)
    http = connect(provider)
    sign_in(http, server, provider)
    sign_in(http, server, provider)
    published = KeySet.import_key_set(public_jwks([keys]))  # type: ignore[arg-type]
    seen = set()
    for headers, form in server.calls("/token"):
        assert "Authorization" not in headers
        assert "client_id" not in form
        assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        token = jwt.decode(form["client_assertion"], published, algorithms=[alg])
        assert token.header == {"alg": alg, "kid": keys.signing.kid, "typ": "JWT"}
        assert (token.claims["iss"], token.claims["sub"], token.claims["aud"]) == (
            "portal",
            "portal",
            f"{server.url}/token",
        )
        assert 0 < token.claims["exp"] - token.claims["iat"] <= 300
        seen.add(token.claims["jti"])
    assert len(seen) == 2


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


@pytest.mark.parametrize(
    ("fhir_user", "role"),
    [
        ("Patient/patient-1", LaunchRole.SELF),
        ("RelatedPerson/r1", LaunchRole.PROXY),
        ("Person/p1", LaunchRole.PROXY),
        ("Practitioner/d1", LaunchRole.CARE_TEAM),
        ("PractitionerRole/d2", LaunchRole.CARE_TEAM),
    ],
)
def test_fhir_user_decides_the_role(
    server: FakeSmartServer, provider: Provider, connect: Connect, fhir_user: str, role: LaunchRole
) -> None:
    """SMART-62: relative references."""
    server.change_claims = lambda claims: {**claims, "fhirUser": fhir_user}
    assert sign_in(connect(provider), server, provider).role is role


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


def test_a_changed_key_is_fetched_once(server: FakeSmartServer, provider: Provider, connect: Connect) -> None:
    """SMART-60: a kid we do not know makes one more request for keys, and no more than one."""
    client = SmartClient(connect(provider))
    first = begin(client, provider)
    client.finish(provider, first, server.authorize(first.url), NOW)
    server.key, server.kid = RSAKey.generate_key(2048), "k2"
    later = begin(client, provider)
    client.finish(provider, later, server.authorize(later.url), NOW + timedelta(seconds=30))
    assert len(server.calls("/keys")) == 2
    server.make_id_token = lambda claims: jwt.encode({"alg": "RS256", "kid": "k9"}, claims, server.key)
    for _ in range(3):
        again = begin(client, provider)
        with pytest.raises(LaunchRefused, match="id-token-kid"):
            client.finish(provider, again, server.authorize(again.url), NOW + timedelta(seconds=31))
    assert len(server.calls("/keys")) == 2


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
    """SMART-47, abuse case 6: a swapped patient stops; invalid_grant asks to reconnect; nothing is tried twice."""
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


def test_a_provider_that_is_down(server: FakeSmartServer, provider: Provider, connect: Connect) -> None:
    """SMART-02: every way of not being there is ProviderUnavailable, not a crash."""
    gone = replace(provider, id="gone", fhir_base_url="http://localhost:9/fhir")
    with pytest.raises(ProviderUnavailable, match="connection"):
        begin(SmartClient(connect(gone)), gone)
    for garbage in ("<html>", "null", "[]", "{}", '"x"', '{"issuer": 1'):
        server.change_configuration = lambda document, garbage=garbage: garbage  # type: ignore[misc]
        with pytest.raises(ProviderUnavailable):
            begin(SmartClient(connect(provider)), provider)


def test_an_unlisted_provider_is_never_called(server: FakeSmartServer, provider: Provider, connect: Connect) -> None:
    """SEC-05: a provider outside the allow-list sees no connection."""
    http = connect(replace(provider, fhir_base_url="http://localhost:9/fhir"))
    with pytest.raises(ProviderUnavailable, match="origin-not-listed"):
        begin(SmartClient(http), provider)
    assert server.seen == []
