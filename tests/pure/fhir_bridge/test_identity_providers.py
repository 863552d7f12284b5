"""[[identity]]: read with its mistakes named, roles and second factors found in claims, discovery checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fhir_bridge.identity_providers import IdentityProvider, load_identities
from fhir_bridge.smart.errors import ProviderUnavailable
from fhir_bridge.smart.openid import read_openid_configuration
from vocabulary.config_file import ConfigError

GOOD = """[[provider]]
id = "riverside"

[[identity]]
id = "okta"
name = "Okta"
signs_in = "staff"
issuer = "https://id.example.org/"
client_id = "portal"
client_auth = "client_secret_basic"
client_secret = "env:SECRET"
roles_claim = "realm_access.roles"
roles = { "CancerLinQ Staff" = "staff", "leads" = "lead" }
amr = ["mfa", "hwk"]
acr = ["urn:two"]
"""


def load(tmp_path: Path, text: str, *, production: bool = True, passkeys: bool = True) -> tuple[IdentityProvider, ...]:
    path = tmp_path / "providers.toml"
    path.write_text(text)
    return load_identities(path, {"SECRET": "a-secret"}, production=production, passkeys=passkeys)


def test_an_identity_is_read(tmp_path: Path) -> None:
    """SEC-20: whom it signs in, in which roles, and what proves a second factor; the secret is never printed."""
    (found,) = load(tmp_path, GOOD)
    assert (found.id, found.signs_in, found.practices) == ("okta", "staff", ("*",))
    assert found.door.id == "identity:okta"
    assert found.door.client_secret == "a-secret"
    assert "a-secret" not in repr(found)
    assert load(tmp_path, '[[provider]]\nid = "riverside"\n') == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('signs_in = "staff"', 'signs_in = "robots"', 7, "signs_in"),
        ('issuer = "https://id.example.org/"', 'issuer = "http://id.example.org/"', 8, "plain http"),
        ('"leads" = "lead"', '"leads" = "boss"', 13, "'boss'"),
        ('roles = { "CancerLinQ Staff" = "staff", "leads" = "lead" }', "roles = {}", 13, "which groups"),
        ('client_secret = "env:SECRET"', 'client_secret = "in-clear"', 11, "in clear"),
        ('client_secret = "env:SECRET"', 'client_secret = "env:NONE"', 11, "NONE"),
        ('name = "Okta"', 'nam = "Okta"', 6, "not a known key"),
        ('acr = ["urn:two"]', 'acr = ["urn:two"]\nscopes = "profile"', 16, "openid"),
        ('acr = ["urn:two"]', 'acr = ["urn:two"]\nnetwork = "private"', 16, "production"),
    ],
)
def test_a_mistake_is_named_by_file_line_and_remedy(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    """SEC-13: a wrong [[identity]] keeps the service from starting."""
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, GOOD.replace(old, new))
    assert says in str(raised.value)
    assert raised.value.where.endswith(f"line {line}")
    assert raised.value.remedy


def test_where_no_passkey_can_be_the_token_must_show_a_second_factor(tmp_path: Path) -> None:
    """SEC-20: at an IP address browsers make no passkey, so that nobody could ever come in."""
    bare = GOOD.replace('amr = ["mfa", "hwk"]\n', "").replace('acr = ["urn:two"]\n', "")
    assert load(tmp_path, bare)[0].amr == ()
    with pytest.raises(ConfigError, match="IP address"):
        load(tmp_path, bare, passkeys=False)


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"realm_access": {"roles": ["other", "CancerLinQ Staff"]}}, "staff"),
        ({"realm_access.roles": ["leads"]}, "lead"),
        ({"realm_access": {"roles": ["CancerLinQ Staff", "leads"]}}, "lead"),
        ({"realm_access": {"roles": "CancerLinQ Staff"}}, "staff"),
        ({"realm_access": {"roles": ["staff", "lead"]}}, None),  # our names are not theirs
        ({"realm_access": {"roles": [["leads"], 7, None]}}, None),
        ({"realm_access": "leads"}, None),
        ({}, None),
    ],
)
def test_the_role_is_the_highest_that_the_claim_gives(tmp_path: Path, claims: dict[str, Any], role: str | None) -> None:
    """SEC-08: whatever a claim holds, it gives a mapped role or none."""
    assert load(tmp_path, GOOD)[0].role_of(claims) == role


@pytest.mark.parametrize(
    ("claims", "shown"),
    [
        ({"amr": ["pwd", "mfa"]}, True),
        ({"acr": "urn:two"}, True),
        ({"amr": ["pwd"]}, False),
        ({"amr": "hwk"}, True),
        ({"acr": "urn:one", "amr": []}, False),
        ({"acr": ["urn:two"]}, False),
        ({"acr": None, "amr": None}, False),
        ({}, False),
    ],
)
def test_a_second_factor_is_what_the_token_says(tmp_path: Path, claims: dict[str, Any], shown: bool) -> None:
    """SEC-20, V6.3.3: `acr` or `amr` as configured (RFC 8176); without either, the token says nothing."""
    assert load(tmp_path, GOOD)[0].shows_second_factor(claims) is shown


@pytest.mark.parametrize(
    ("claim", "claims", "human"),
    [
        ("", {"email": " Kim@Example.org", "email_verified": True}, "kim@example.org"),
        ("", {"email": "kim@example.org", "email_verified": "true"}, None),
        ("", {"email": "kim@example.org"}, None),  # anybody may write any address
        ("", {"email": ["kim@example.org"], "email_verified": True}, None),
        ("", {"employee": "E-7"}, None),
        ("employee", {"employee": "E-7", "email": "kim@example.org", "email_verified": True}, "e-7"),
        ("employee", {"employee": " "}, None),
    ],
)
def test_what_is_the_same_in_every_sign_in_of_one_person(
    tmp_path: Path, claim: str, claims: dict[str, Any], human: str | None
) -> None:
    """SEC-08: by a verified mail address, or by the claim that the operator names; in doubt by nothing."""
    said = f'person_claim = "{claim}"\n' if claim else ""
    assert load(tmp_path, GOOD + said)[0].human_of(claims) == human


PUBLISHED = {
    "issuer": "https://id.example.org/",
    "authorization_endpoint": "https://id.example.org/authorize",
    "token_endpoint": "https://id.example.org/token",
    "jwks_uri": "https://id.example.org/jwks",
    "code_challenge_methods_supported": ["S256"],
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"issuer": "https://id.example.org"}, "configuration-foreign-issuer"),
        ({"issuer": "https://evil.example/"}, "configuration-foreign-issuer"),
        ({"token_endpoint": "https://evil.example/token"}, "configuration-foreign-token-endpoint"),
        ({"jwks_uri": "https://evil.example/jwks"}, "configuration-foreign-jwks-uri"),
        ({"authorization_endpoint": None}, "configuration-without-authorization-endpoint"),
        ({"code_challenge_methods_supported": ["plain"]}, "configuration-without-s256"),
    ],
)
def test_a_configuration_that_leads_elsewhere_is_not_used(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    """SEC-05, SEC-11: issuer exactly, endpoints at its own hosts, PKCE S256 where methods are named."""
    (identity,) = load(tmp_path, GOOD)
    assert read_openid_configuration(identity, PUBLISHED).token_endpoint == "https://id.example.org/token"
    with pytest.raises(ProviderUnavailable) as raised:
        read_openid_configuration(identity, PUBLISHED | change)
    assert raised.value.reason == reason
