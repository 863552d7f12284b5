"""Forged and broken id_tokens: none is accepted, each for its own reason."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from fhir_bridge.smart.errors import LaunchRefused
from fhir_bridge.smart.identity import Expectation, KeyNotFound, verify_id_token

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
OURS, THEIRS, EC = RSAKey.generate_key(2048), RSAKey.generate_key(2048), ECKey.generate_key("P-384")
PUBLISHED: list[dict[str, Any]] = [
    {**OURS.as_dict(private=False), "kid": "k1", "use": "sig", "alg": "RS256"},
    {**EC.as_dict(private=False), "kid": "e1"},
    {**THEIRS.as_dict(private=False), "kid": "enc", "use": "enc"},
    {"kty": "oct", "kid": "oct", "k": base64.urlsafe_b64encode(b"secret" * 6).decode()},
]
EXPECTED = Expectation("https://ehr.example", "portal", ("RS256",), "nonce-1", "access-1")
CLAIMS: dict[str, Any] = {
    "iss": "https://ehr.example", "aud": "portal", "sub": "s1", "iat": SECONDS, "exp": SECONDS + 300,
    "nonce": "nonce-1", "fhirUser": "Patient/1",
}  # fmt: skip


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def made(claims: dict[str, Any] | None = None, *, key: Any = OURS, drop: str = "", **header: Any) -> str:
    """A properly signed token; the header may hold anything, since it is put together by hand."""
    body = {name: value for name, value in {**CLAIMS, **(claims or {})}.items() if name != drop}
    head = {name: value for name, value in {"alg": "RS256", "kid": "k1", "typ": "JWT", **header}.items() if value != ()}
    signing = f"{part(head)}.{part(body)}".encode()
    plain = {name: value for name, value in head.items() if name == "alg"}
    algorithm = plain["alg"] if plain.get("alg") in ("RS256", "RS384", "ES384", "PS256") else "RS256"
    model = jws.JWSRegistry(algorithms=[algorithm]).get_alg(algorithm)
    return f"{signing.decode()}.{part(model.sign(signing, key))}"


def with_hmac(secret: bytes, kid: str = "k1") -> str:
    signing = f"{part({'alg': 'HS256', 'kid': kid})}.{part(CLAIMS)}".encode()
    return f"{signing.decode()}.{part(hmac.new(secret, signing, hashlib.sha256).digest())}"


def at_hash(token: str) -> str:
    return part(hashlib.sha256(token.encode()).digest()[:16])


FORGED: dict[str, str | Callable[[], str]] = {
    # the algorithm and the signature
    "alg none, empty signature": f"{part({'alg': 'none', 'kid': 'k1'})}.{part(CLAIMS)}.",
    "alg None": f"{part({'alg': 'None', 'kid': 'k1'})}.{part(CLAIMS)}.",
    "alg NONE with signature": made(alg="NONE"),
    "alg missing": made(alg=()),
    "alg not text": made(alg=["RS256"]),
    "HS256 with the public key as PEM": with_hmac(OURS.as_pem(private=False)),
    "HS256 with the public key as DER": with_hmac(OURS.as_der(private=False)),
    "HS256 with the public JWK": with_hmac(json.dumps(PUBLISHED[0]).encode()),
    "HS256 with the modulus": with_hmac(PUBLISHED[0]["n"].encode()),
    "HS256 with an empty secret": with_hmac(b""),
    "HS256 with a published symmetric key": with_hmac(b"secret" * 6, "oct"),
    "RS384, not configured": made(alg="RS384"),
    "PS256, not configured": made(alg="PS256"),
    "ES384, not configured": made(key=EC, alg="ES384", kid="e1"),
    "RS256 named, EC key": made(kid="e1"),
    "alg RS256 lower case": made(alg="rs256"),
    "signed by another key": made(key=THEIRS),
    "a key meant for encryption": made(key=THEIRS, kid="enc"),
    "signature cut": made()[:-10],
    "signature empty": made().rsplit(".", 1)[0] + ".",
    "signature of another token": made({"sub": "s2"}).rsplit(".", 1)[0] + "." + made().rsplit(".", 1)[1],
    "payload changed": ".".join((made().split(".")[0], part({**CLAIMS, "sub": "s2"}), made().split(".")[2])),
    # the header
    "kid missing": made(kid=()),
    "kid empty": made(kid=""),
    "kid number": made(kid=1),
    "kid unknown": made(kid="k2"),
    "kid with path": made(kid="../../dev/null"),
    "kid with SQL": made(kid="k1' or '1'='1"),
    "own key in jwk": made(key=THEIRS, jwk=THEIRS.as_dict(private=False), kid="k1"),
    "own key in jwk, unknown kid": made(key=THEIRS, jwk=THEIRS.as_dict(private=False), kid="mine"),
    "own key at jku": made(key=THEIRS, jku="https://evil.example/keys", kid="k1"),
    "own key at x5u": made(key=THEIRS, x5u="https://evil.example/cert", kid="k1"),
    "own key in x5c": made(key=THEIRS, x5c=["AAAA"], kid="k1"),
    "crit": made(crit=["exp"], exp=1),
    "crit empty": made(crit=[]),
    "b64 false": made(b64=False, crit=["b64"]),
    "typ access token": made(typ="at+jwt"),
    "typ logout token": made(typ="logout+jwt"),
    "header too long": made(x="y" * 5000),
    "header of 10 MB": lambda: made(x="y" * 10_000_000),
    "header not JSON": f"{part(b'{alg:RS256}')}.{part(CLAIMS)}.AA",
    "header a list": f"{part(['RS256'])}.{part(CLAIMS)}.AA",
    "header deep": f"{part(b'[' * 3000)}.{part(CLAIMS)}.AA",
    # the form
    "empty": "",
    "two parts": "a.b",
    "four parts": made() + ".x",
    "five parts, encrypted": "a.b.c.d.e",
    "spaces": " " + made(),
    "not ASCII": made() + "é",
    "payload not JSON": f"{part({'alg': 'RS256', 'kid': 'k1'})}.{part(b'x')}.AA",
    # who and for whom
    "iss missing": made(drop="iss"),
    "iss other": made({"iss": "https://evil.example"}),
    "iss with slash": made({"iss": "https://ehr.example/"}),
    "iss upper case": made({"iss": "https://EHR.example"}),
    "iss a list": made({"iss": ["https://ehr.example"]}),
    "aud missing": made(drop="aud"),
    "aud other": made({"aud": "other"}),
    "aud other, azp ours (LIB-05)": made({"aud": "other", "azp": "portal"}),
    "aud list of others, azp ours (LIB-05)": made({"aud": ["other"], "azp": "portal"}),
    "aud two without azp": made({"aud": ["portal", "other"]}),
    "aud two, azp other": made({"aud": ["portal", "other"], "azp": "other"}),
    "azp other": made({"azp": "other"}),
    "aud empty list": made({"aud": []}),
    "aud object": made({"aud": {"portal": 1}}),
    "aud longer": made({"aud": "portal2"}),
    "sub missing": made(drop="sub"),
    "sub empty": made({"sub": ""}),
    "sub number": made({"sub": 1}),
    "sub 256 long": made({"sub": "s" * 256}),
    "sub with control character": made({"sub": "s\u0000"}),
    # when
    "exp missing": made(drop="exp"),
    "exp past by 61 s": made({"exp": SECONDS - 61}),
    "exp past by 60 s": made({"exp": SECONDS - 60}),
    "exp text": made({"exp": str(SECONDS + 300)}),
    "exp true": made({"exp": True}),
    "exp huge": made({"exp": 1e300}),
    "iat missing": made(drop="iat"),
    "iat in 61 s": made({"iat": SECONDS + 61}),
    "iat text": made({"iat": "now"}),
    "nbf in 61 s": made({"nbf": SECONDS + 61}),
    # for this launch
    "nonce missing": made(drop="nonce"),
    "nonce other": made({"nonce": "nonce-2"}),
    "nonce longer": made({"nonce": "nonce-11"}),
    "nonce a list": made({"nonce": ["nonce-1"]}),
    "nonce null": made({"nonce": None}),
    "at_hash of another access token": made({"at_hash": at_hash("access-2")}),
    "at_hash number": made({"at_hash": 1}),
}  # fmt: skip


def test_there_are_enough() -> None:
    """Abuse case 5: at least 60 forged id_tokens."""
    assert len(FORGED) >= 60


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_is_refused(name: str) -> None:
    """SMART-60, SMART-61, LIB-05, SEC-11: refused, with nothing fetched."""
    found = FORGED[name]
    token = found() if callable(found) else found
    with pytest.raises(LaunchRefused) as caught:
        verify_id_token(token, PUBLISHED, EXPECTED, NOW)
    assert caught.value.reason.startswith("id-token-")


TRUE = [
    pytest.param({}, {}, id="plain"),
    pytest.param({"aud": ["portal"]}, {}, id="aud in a list"),
    pytest.param({"aud": ["portal", "other"], "azp": "portal"}, {}, id="aud of two with azp"),
    pytest.param({"exp": SECONDS - 59}, {}, id="within the skew"),
    pytest.param({"at_hash": at_hash("access-1")}, {}, id="at_hash"),
    pytest.param({}, {"typ": ()}, id="no typ"),
    pytest.param({}, {"jku": "https://evil.example/keys", "x5t": "abc"}, id="jku beside a true signature is ignored"),
    pytest.param({"sub": "s" * 255, "extra": {"a": 1}}, {}, id="long sub"),
]


@pytest.mark.parametrize(("claims", "header"), TRUE)
def test_a_true_token_is_accepted(claims: dict[str, Any], header: dict[str, Any]) -> None:
    """SMART-60, SMART-63: the account is issuer and subject."""
    identity = verify_id_token(made(claims, **header), PUBLISHED, EXPECTED, NOW)
    assert (identity.issuer, identity.subject) == ("https://ehr.example", claims.get("sub", "s1"))
    assert identity.fhir_user == "Patient/1"


def test_another_algorithm_where_configured() -> None:
    """SMART-60: the list of algorithms is the provider's."""
    expected = Expectation("https://ehr.example", "portal", ("ES384",), "nonce-1", "access-1")
    assert verify_id_token(made(key=EC, alg="ES384", kid="e1"), PUBLISHED, expected, NOW).subject == "s1"
    with pytest.raises(LaunchRefused, match="id-token-alg"):
        verify_id_token(made(), PUBLISHED, expected, NOW)


def test_no_nonce_is_asked_for_where_none_was_sent() -> None:
    """SMART-61: only `send_nonce = false` and a refresh do without."""
    expected = Expectation("https://ehr.example", "portal", ("RS256",))
    assert verify_id_token(made(drop="nonce"), PUBLISHED, expected, NOW).subject == "s1"


def test_an_unknown_kid_is_told_apart() -> None:
    """SMART-60: so that the keys can be fetched again, once."""
    with pytest.raises(KeyNotFound):
        verify_id_token(made(kid="k2"), PUBLISHED, EXPECTED, NOW)


@pytest.mark.parametrize(
    "keys",
    [[], [None], ["k1"], [{"kid": "k1"}], [{"kid": "k1", "kty": "RSA"}], [{"kid": "k1", "kty": "RSA", "n": 1, "e": 2}]],
)
def test_published_keys_may_be_garbage(keys: list[Any]) -> None:
    """SMART-60: what an issuer publishes never crashes us."""
    with pytest.raises(LaunchRefused):
        verify_id_token(made(), keys, EXPECTED, NOW)
