"""Staff sign in at an OpenID Connect server that is not ours (oidc-provider)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
import requests

from fhir_bridge.identity_providers import IdentityProvider, load_identities
from fhir_bridge.smart.errors import LaunchDenied, LaunchRefused
from fhir_bridge.smart.identity import Identity
from fhir_bridge.smart.launch import ENTROPY_BYTES
from fhir_bridge.smart.openid import OpenIdClient
from outbound.client import OutboundClient
from outbound.destinations import AllowList
from tests.parts.third_party.sign_in_page import SignInPage
from tests.support import third_party

REDIRECT = "http://127.0.0.1:8000/staff/callback/third"
SECRET = "a secret/with:signs"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def identity(third_party_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[IdentityProvider]:
    """The server, as providers.toml would describe it."""
    folder = tmp_path_factory.mktemp("third-party-identity")
    (folder / "secret").write_text(SECRET)
    arguments = ["--redirect", REDIRECT, "--client-secret-file", str(folder / "secret")]
    process = third_party._start(third_party_packages / "staff_identity.mjs", arguments)
    try:
        issuer = third_party._ready(process)["ready"]
        (folder / "providers.toml").write_text(
            f'[[identity]]\nid = "third"\nname = "Third"\nsigns_in = "staff"\nissuer = "{issuer}"\n'
            'client_id = "portal"\nclient_auth = "client_secret_basic"\nclient_secret = "file:secret"\n'
            'roles_claim = "groups"\nroles = { "leads" = "lead", "cases" = "staff" }\namr = ["mfa"]\n'
            'network = "private"\n'
        )
        (found,) = load_identities(folder / "providers.toml", {}, production=False, passkeys=False)
        yield found
    finally:
        third_party._stop(process)


@pytest.fixture
def client(identity: IdentityProvider) -> Iterator[OpenIdClient]:
    http = OutboundClient(AllowList(identity.destinations()))
    yield OpenIdClient(http)
    http.close()


def sign_in(client: OpenIdClient, identity: IdentityProvider, who: str, way: str, **changed: str) -> Identity:
    request = client.begin(identity, now(), redirect_uri=REDIRECT, entropy=secrets.token_bytes(ENTROPY_BYTES))
    return client.finish(identity, request, answer(request.url, who, way) | changed, now())


def answer(url: str, who: str, way: str) -> dict[str, str]:
    """Be `who` on the server's page; the parameters with which it sends the browser back."""
    with requests.Session() as browser:
        page = browser.get(url, timeout=20)
        assert page.status_code == 200, page.text
        place = urljoin(page.url, SignInPage(page.text).action)
        step = browser.post(place, data={"who": who, "way": way}, allow_redirects=False, timeout=20)
        while step.is_redirect:
            place = urljoin(step.url, step.headers["Location"])
            if place.startswith(REDIRECT):
                return dict(parse_qsl(urlsplit(place).query))
            step = browser.get(place, allow_redirects=False, timeout=20)
    raise AssertionError(f"no way back: {step.status_code} {step.text}")


def test_a_real_provider_signs_staff_in(client: OpenIdClient, identity: IdentityProvider) -> None:
    """SEC-20, SEC-11: code, PKCE, nonce, RS256, `iss`; role and second factor come from its own id_token."""
    dana = sign_in(client, identity, "dana", "key")
    assert (dana.issuer, dana.subject, dana.name) == (identity.door.issuer, "dana", "Dana Brooks")
    assert identity.role_of(dana.claims) == "lead"
    assert identity.shows_second_factor(dana.claims)
    miguel = sign_in(client, identity, "miguel", "password")
    assert identity.role_of(miguel.claims) == "staff"
    assert not identity.shows_second_factor(miguel.claims)
    assert identity.role_of(sign_in(client, identity, "eve", "key").claims) is None


def test_what_does_not_fit_is_refused(client: OpenIdClient, identity: IdentityProvider) -> None:
    """SEC-11, RFC 9207: a foreign issuer or state, no issuer where one is promised, a denial: nobody is signed in."""
    for changed in ({"iss": "https://evil.example"}, {"state": "another"}, {"code": "made-up"}):
        with pytest.raises(LaunchRefused):
            sign_in(client, identity, "dana", "key", **changed)
    with pytest.raises(LaunchDenied):
        sign_in(client, identity, "nobody", "key")
