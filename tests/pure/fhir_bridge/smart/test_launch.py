"""What we read from a provider's publication, and what we send with the browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc.jwk import ECKey, RSAKey

from fhir_bridge.providers import Provider
from fhir_bridge.smart.client_keys import public_jwks, read_client_keys
from fhir_bridge.smart.context import LaunchRole, role_of
from fhir_bridge.smart.discovery import configuration_url, read_configuration
from fhir_bridge.smart.errors import LaunchRefused, ProviderUnavailable
from fhir_bridge.smart.launch import LaunchRequest, begin_launch
from tests.support.testdata import testdata

BASE = "https://ehr.example/tenant/fhir"
PROVIDER = Provider(
    "one", "One", "MA", BASE, "portal", "public", "launch/patient openid fhirUser offline_access patient/*.rs"
)
DOCUMENT: dict[str, Any] = {
    "issuer": "https://ehr.example", "jwks_uri": "https://ehr.example/keys",
    "authorization_endpoint": "https://ehr.example/authorize", "token_endpoint": "https://ehr.example/token",
    "grant_types_supported": ["authorization_code"], "code_challenge_methods_supported": ["S256"],
    "capabilities": ["launch-standalone", "launch-ehr", "sso-openid-connect", "permission-v2", "client-public"],
}  # fmt: skip
REDIRECT = "https://portal.example/callback/one"
ENTROPY = bytes(range(96))


def test_the_configuration_stands_below_the_whole_base() -> None:
    """SMART-01: after the base's path, not at the host's root."""
    assert configuration_url(PROVIDER) == f"{BASE}/.well-known/smart-configuration"
    assert configuration_url(replace(PROVIDER, fhir_base_url=BASE + "/")) == f"{BASE}/.well-known/smart-configuration"


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in DOCUMENT.items() if name != key}


@pytest.mark.parametrize(
    "key",
    [
        "token_endpoint", "authorization_endpoint", "grant_types_supported", "capabilities",
        "code_challenge_methods_supported", "issuer", "jwks_uri",
    ],
)  # fmt: skip
def test_a_required_key_is_missing(key: str) -> None:
    """SMART-02: the provider is unavailable and nobody is sent anywhere."""
    with pytest.raises(ProviderUnavailable):
        read_configuration(PROVIDER, without(key))


BROKEN: list[Any] = [
    pytest.param({"code_challenge_methods_supported": ["plain"]}, id="SMART-03 only plain"),
    pytest.param({"code_challenge_methods_supported": []}, id="SMART-03 none"),
    pytest.param({"code_challenge_methods_supported": "S256"}, id="SMART-03 not a list"),
    pytest.param({"grant_types_supported": ["client_credentials"]}, id="no code grant"),
    pytest.param({"capabilities": ["launch-standalone"]}, id="no openid"),
    pytest.param({"capabilities": [1]}, id="capabilities not texts"),
    pytest.param({"token_endpoint": "https://evil.example/token"}, id="token elsewhere"),
    pytest.param({"token_endpoint": "http://ehr.example/token"}, id="token in clear"),
    pytest.param({"token_endpoint": "https://ehr.example@evil.example/token"}, id="token with user"),
    pytest.param({"token_endpoint": ["https://ehr.example/token"]}, id="token a list"),
    pytest.param({"token_endpoint": "//evil.example/token"}, id="token without scheme"),
    pytest.param({"authorization_endpoint": "javascript:alert(1)"}, id="authorize a script"),
    pytest.param({"authorization_endpoint": "https://[bad/authorize"}, id="authorize unreadable"),
    pytest.param({"jwks_uri": "https://evil.example/keys"}, id="keys elsewhere"),
    pytest.param({"revocation_endpoint": "https://evil.example/revoke"}, id="revocation elsewhere"),
    pytest.param({"issuer": "https://evil.example"}, id="issuer elsewhere"),
    pytest.param({"issuer": 7}, id="issuer a number"),
]


@pytest.mark.parametrize("changes", BROKEN)
def test_a_configuration_that_cannot_be_used(changes: dict[str, Any]) -> None:
    """SMART-02, SMART-03, abuse case 3: nothing weaker and nothing elsewhere."""
    with pytest.raises(ProviderUnavailable):
        read_configuration(PROVIDER, {**DOCUMENT, **changes})


@pytest.mark.parametrize("document", [None, [], "x", 1, {}])
def test_a_configuration_that_is_no_object(document: object) -> None:
    """SMART-02: garbage is unavailable."""
    with pytest.raises(ProviderUnavailable):
        read_configuration(PROVIDER, document)


def test_relative_endpoints_and_optional_ones() -> None:
    """SMART-04, SMART-06: relative to the FHIR base; links that lead elsewhere are left out."""
    found = read_configuration(
        PROVIDER,
        {
            **DOCUMENT, "token_endpoint": "auth/token", "management_endpoint": "/manage",
            "user_access_brand_bundle": "https://evil.example/brands",
        },
    )  # fmt: skip
    assert found.token_endpoint == f"{BASE}/auth/token"
    assert found.management_endpoint == "https://ehr.example/manage"
    assert found.user_access_brand_bundle is None


def test_an_issuer_at_its_own_host() -> None:
    """SMART-60: the configured issuer counts, and its host is this provider's."""
    elsewhere = replace(PROVIDER, issuer="https://login.example/t1", origins=("https://third.example",))
    document = {**DOCUMENT, "issuer": "https://login.example/t1", "token_endpoint": "https://login.example/t1/token"}
    assert read_configuration(elsewhere, {**document, "jwks_uri": "https://third.example/keys"}).issuer.endswith("/t1")
    with pytest.raises(ProviderUnavailable, match="foreign-issuer"):
        read_configuration(elsewhere, {**document, "issuer": "https://login.example/t2"})


def test_missing_capabilities_are_named() -> None:
    """SMART-05: for a message that says what the hospital's system lacks."""
    found = read_configuration(PROVIDER, DOCUMENT)
    assert found.missing_capabilities(ehr_launch=False) == ("context-standalone-patient", "permission-patient")
    assert "permission-user" in found.missing_capabilities(ehr_launch=True)


def test_the_published_example_is_read() -> None:
    """SMART-02: the specification's own example, as a provider at that host would publish it."""
    text = testdata("smart/app-launch/snippets/conformance-02.txt").read_text(encoding="utf-8")
    example = json.loads(text[text.index("{") :])
    provider = replace(PROVIDER, fhir_base_url="https://ehr.example.com/fhir", origins=("https://ehr.example.com",))
    found = read_configuration(provider, example)
    assert found.token_endpoint == "https://ehr.example.com/auth/token"


def begin(launch: str | None = None, provider: Provider = PROVIDER, **changes: Any) -> LaunchRequest:
    configuration = read_configuration(provider, {**DOCUMENT, **changes})
    return begin_launch(provider, configuration, redirect_uri=REDIRECT, entropy=ENTROPY, launch=launch)


def sent(request: LaunchRequest) -> dict[str, str]:
    pairs = parse_qsl(urlsplit(request.url).query, strict_parsing=True)
    assert len(pairs) == len(dict(pairs))
    return dict(pairs)


def test_a_standalone_request_has_exactly_these_parameters() -> None:
    """SMART-10, SMART-22, SMART-36, SMART-64: no `launch`, no `max_age`, offline only when wanted."""
    request = begin()
    query = sent(request)
    assert request.url.startswith("https://ehr.example/authorize?")
    assert {name: query[name] for name in ("response_type", "client_id", "redirect_uri", "aud", "scope")} == {
        "response_type": "code",
        "client_id": "portal",
        "redirect_uri": REDIRECT,
        "aud": BASE,
        "scope": "launch/patient openid fhirUser patient/*.rs",
    }
    assert set(query) == {
        "response_type", "client_id", "redirect_uri", "aud", "scope", "state", "nonce", "code_challenge",
        "code_challenge_method",
    }  # fmt: skip
    assert dict(request.parameters) == query


def test_an_ehr_request_carries_launch_and_base() -> None:
    """SMART-10, SMART-20, SMART-22: `launch` as received, `aud` is the issuer that launched."""
    query = sent(begin("xyz-123+/=&"))
    assert (query["launch"], query["aud"]) == ("xyz-123+/=&", BASE)
    assert query["scope"].split()[0] == "launch"
    care = replace(PROVIDER, care_team=True)
    assert sent(begin("xyz", care))["scope"] == "launch openid fhirUser user/Practitioner.rs patient/Patient.rs"


@pytest.mark.parametrize("launch", ["", "a\nb", "x" * 5000])
def test_an_unusable_launch_value(launch: str) -> None:
    """SMART-20: refused before anything is sent."""
    with pytest.raises(LaunchRefused):
        begin(launch)


def test_state_nonce_and_verifier_are_long_and_apart() -> None:
    """SMART-11, SMART-12: 256 bits each; the challenge is the verifier's S256."""
    request = begin()
    assert len({request.state, request.nonce, request.code_verifier}) == 3
    assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", request.code_verifier)
    assert len(request.state) == 43
    digest = hashlib.sha256(request.code_verifier.encode()).digest()
    query = sent(request)
    assert query["code_challenge"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert query["code_challenge_method"] == "S256"
    assert request.code_verifier not in request.url
    with pytest.raises(ValueError, match="entropy"):
        begin_launch(PROVIDER, read_configuration(PROVIDER, DOCUMENT), redirect_uri=REDIRECT, entropy=b"x" * 95)


def test_a_provider_that_drops_the_nonce() -> None:
    """SMART-61: by its setting none is sent, so none is expected."""
    request = begin(provider=replace(PROVIDER, send_nonce=False))
    assert request.nonce is None
    assert "nonce" not in sent(request)


def test_a_long_request_goes_by_post() -> None:
    """SMART-13: only where the server takes it."""
    many = " ".join(f"patient/Type{chr(65 + each % 26)}{chr(97 + each // 26)}.rs" for each in range(100))
    long = replace(PROVIDER, scopes=f"openid fhirUser {many}")
    assert not begin(provider=long).by_post
    assert begin(provider=long, capabilities=[*DOCUMENT["capabilities"], "authorize-post"]).by_post


def test_a_launch_the_server_does_not_offer() -> None:
    """SMART-05: said before the browser leaves."""
    with pytest.raises(ProviderUnavailable, match="launch-not-supported"):
        begin("xyz", capabilities=["launch-standalone", "sso-openid-connect"])


ROLES: list[Any] = [
    ("Patient/p1", "p1", LaunchRole.SELF), (f"{BASE}/Patient/p1", "p1", LaunchRole.SELF),
    ("RelatedPerson/r", "p1", LaunchRole.PROXY), ("Person/r", "p1", LaunchRole.PROXY),
    ("Practitioner/d", "p1", LaunchRole.CARE_TEAM), ("PractitionerRole/d", None, LaunchRole.CARE_TEAM),
    ("Patient/p2", "p1", None), ("Patient/p1", None, None), ("RelatedPerson/r", None, None), (None, "p1", None),
    ("", "p1", None), ("Device/1", "p1", None), ("Organization/1", "p1", None), ("Patient", "p1", None),
    ("patient/p1", "p1", None), ("Patient/p1/_history/1", "p1", None), ("Patient/../p1", "p1", None),
    ("https://evil.example/Patient/p1", "p1", None), ("https://ehr.example/other/fhir/Patient/p1", "p1", None),
    (f"{BASE}x/Patient/p1", "p1", None), ("Practitioner/d?x", "p1", None), (" Patient/p1", "p1", None),
]  # fmt: skip


@pytest.mark.parametrize(("fhir_user", "patient", "role"), ROLES)
def test_roles(fhir_user: str | None, patient: str | None, role: LaunchRole | None) -> None:
    """SMART-62: self only for the same id at the same base; whatever is not known is refused."""
    if role is not None:
        assert role_of(fhir_user, fhir_base_url=BASE, patient=patient) is role
        return
    with pytest.raises(LaunchRefused):
        role_of(fhir_user, fhir_base_url=BASE, patient=patient)


@pytest.mark.parametrize("make", [lambda: RSAKey.generate_key(2048), lambda: ECKey.generate_key("P-384")])
def test_published_keys_are_public(make: Callable[[], RSAKey | ECKey]) -> None:
    """SMART-43: public parts only, both keys of a rotation, the first one signs."""
    first, second = make(), make()
    text = json.dumps(
        {"keys": [{**each.as_dict(private=True), "kid": kid} for each, kid in ((first, "a"), (second, "b"))]}
    )
    keys = read_client_keys(text)
    assert keys.signing.kid == "a"
    published = public_jwks([keys, keys])["keys"]
    assert [each["kid"] for each in published] == ["a", "b"]
    for each in published:
        assert set(each) <= {"kty", "kid", "n", "e", "crv", "x", "y", "alg", "use", "key_ops"}
        assert not set(each) & {"d", "p", "q", "dp", "dq", "qi", "k"}
    pem = read_client_keys(first.as_pem(private=True).decode())
    assert pem.signing.alg == keys.signing.alg
    assert pem.signing.kid
    assert str(json.loads(text)["keys"][0]["d"]) not in repr(keys)
