"""The whole launch against a server that tells the truth, with each kind of client."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from fhir_bridge.providers import Provider
from fhir_bridge.smart.client import SmartClient
from fhir_bridge.smart.client_keys import ClientKeys, public_jwks, read_client_keys
from fhir_bridge.smart.context import LaunchRole
from fhir_bridge.smart.errors import (
    LaunchRefused,
    ProviderUnavailable,
)
from tests.parts.fhir_bridge.smart.conftest import Connect, provider_at
from tests.parts.fhir_bridge.smart.fake_smart_server import NOW, FakeSmartServer
from tests.parts.fhir_bridge.smart.steps import REDIRECT, begin, sign_in


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


def test_what_else_a_token_answer_holds(server: FakeSmartServer, provider: Provider, connect: Connect) -> None:
    """SMART-44, SMART-45: `bearer` in any case; context that we do not use, or cannot read, is no reason to refuse and
    leads to no request."""
    more = {
        "token_type": "BEARER", "encounter": 7, "intent": ["order"], "need_patient_banner": "yes", "tenant": None,
        "fhirContext": [{"reference": "ImagingStudy/1", "role": "x"}, 3], "smart_style_url": f"{server.url}/style.json",
    }  # fmt: skip
    server.change_token = lambda answer: answer | more
    grant = sign_in(connect(provider), server, provider)
    assert (grant.patient, grant.encounter, grant.intent, grant.need_patient_banner) == ("patient-1", None, None, False)
    assert "/style.json" not in {path for _, path, _, _ in server.seen}


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
    published = KeySet.import_key_set(public_jwks([keys]))  # type: ignore[arg-type]  # a JWK set is plain JSON
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


def test_a_provider_that_is_down(server: FakeSmartServer, provider: Provider, connect: Connect) -> None:
    """SMART-02: every way of not being there is ProviderUnavailable, not a crash."""
    gone = replace(provider, id="gone", fhir_base_url="http://localhost:9/fhir")
    with pytest.raises(ProviderUnavailable, match="connection"):
        begin(SmartClient(connect(gone)), gone)
    for garbage in ("<html>", "null", "[]", "{}", '"x"', '{"issuer": 1'):
        server.change_configuration = lambda document, garbage=garbage: garbage  # type: ignore[misc]  # a default in a lambda has no type
        with pytest.raises(ProviderUnavailable):
            begin(SmartClient(connect(provider)), provider)


def test_an_unlisted_provider_is_never_called(server: FakeSmartServer, provider: Provider, connect: Connect) -> None:
    """SEC-05: a provider outside the allow-list sees no connection."""
    http = connect(replace(provider, fhir_base_url="http://localhost:9/fhir"))
    with pytest.raises(ProviderUnavailable, match="origin-not-listed"):
        begin(SmartClient(http), provider)
    assert server.seen == []
