"""Who signed in, from the id_token: signature, claims and keys (SMART-60 to SMART-64, LIB-05, SEC-11).

Only keys that the configured issuer publishes count. `jku`, `x5u` and `jwk` in a token's header are never followed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from fhir_bridge.smart.errors import LaunchRefused

LEEWAY_SECONDS = 60
MAX_TOKEN = 32 * 1024
MAX_HEADER = 4 * 1024
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_DIGITS = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


class KeyNotFound(LaunchRefused):
    """No published key has the token's kid; the keys may have been changed since we read them."""


@dataclass(frozen=True)
class Identity:
    """Who signed in. The account is (`issuer`, `subject`) and nothing else (SMART-63). `claims` is all of it."""

    issuer: str = field(repr=False)
    subject: str = field(repr=False)
    fhir_user: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Expectation:
    """What the token must say. `nonce` is None only when none was sent (a refresh, or `send_nonce = false`)."""

    issuer: str
    client_id: str
    algorithms: tuple[str, ...]
    nonce: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)


def verify_id_token(token: str, keys: Sequence[object], expected: Expectation, now: datetime) -> Identity:
    """The identity in `token`; KeyNotFound when its kid is unknown, LaunchRefused for everything else wrong.

    `keys` are the members of the issuer's JWK set, as published.
    """
    header = _header(token)
    alg = header["alg"]
    if alg not in expected.algorithms or alg == "none" or alg.startswith("HS"):
        raise LaunchRefused("id-token-alg")
    claims = _signed_claims(token, alg, _key(keys, header["kid"], alg))
    _check_parties(claims, expected)
    _check_times(claims, now)
    _check_nonce(claims, expected)
    _check_at_hash(claims, expected, alg)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject) <= 255 or not subject.isprintable():
        raise LaunchRefused("id-token-sub")
    fhir_user = claims.get("fhirUser", claims.get("profile"))
    name = claims.get("name")
    return Identity(
        issuer=expected.issuer,
        subject=subject,
        fhir_user=fhir_user if isinstance(fhir_user, str) else None,
        name=name if isinstance(name, str) else None,
        claims=claims,
    )


def _header(token: str) -> dict[str, str]:
    if not isinstance(token, str) or len(token) > MAX_TOKEN or token.count(".") != 2 or not token.isascii():
        raise LaunchRefused("id-token-form")
    encoded = token.split(".", 1)[0]
    if len(encoded) > MAX_HEADER:
        raise LaunchRefused("id-token-header")
    try:
        header = orjson.loads(base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        raise LaunchRefused("id-token-header") from None
    if not isinstance(header, dict) or "crit" in header or "b64" in header or "enc" in header:
        raise LaunchRefused("id-token-header")
    if not isinstance(header.get("alg"), str):
        raise LaunchRefused("id-token-alg")
    if not isinstance(header.get("kid"), str) or not header["kid"]:
        raise LaunchRefused("id-token-kid")
    if "typ" in header and str(header["typ"]).lower() not in ("jwt", "application/jwt"):
        raise LaunchRefused("id-token-typ")
    return header


def _key(keys: Sequence[object], kid: str, alg: str) -> RSAKey | ECKey:
    """The published key for this kid and algorithm; symmetric keys and keys for other uses do not count."""
    same = [each for each in keys if isinstance(each, dict) and each.get("kid") == kid]
    if not same:
        raise KeyNotFound("id-token-kid")
    kind = "EC" if alg.startswith("ES") else "RSA"
    for jwk in same:
        if jwk.get("kty") != kind or jwk.get("use", "sig") != "sig" or jwk.get("alg", alg) != alg:
            continue
        if kind == "EC" and jwk.get("crv") != _CURVES.get(alg):
            continue
        public = {name: jwk[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in jwk}
        try:
            key = ECKey.import_key(public) if kind == "EC" else RSAKey.import_key(public)
            strong = isinstance(key, ECKey) or key.raw_value.key_size >= 2048
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if strong:
            return key
    raise LaunchRefused("id-token-key")


def _signed_claims(token: str, alg: str, key: RSAKey | ECKey) -> dict[str, Any]:
    registry = jws.JWSRegistry(algorithms=[alg], strict_check_header=False)
    registry.max_header_length = MAX_HEADER
    try:
        claims = orjson.loads(jws.deserialize_compact(token, key, registry=registry).payload or b"")
    except (JoseError, ValueError, TypeError, KeyError):
        raise LaunchRefused("id-token-signature") from None
    if not isinstance(claims, dict):
        raise LaunchRefused("id-token-claims")
    return claims


def _check_parties(claims: dict[str, Any], expected: Expectation) -> None:
    """`iss` is exactly the configured issuer and `aud` names us; `azp` alone never suffices (LIB-05)."""
    if claims.get("iss") != expected.issuer:
        raise LaunchRefused("id-token-iss")
    audience = claims.get("aud")
    listed = [audience] if isinstance(audience, str) else audience
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise LaunchRefused("id-token-aud")
    if expected.client_id not in listed:
        raise LaunchRefused("id-token-aud")
    if len(listed) > 1 and "azp" not in claims:
        raise LaunchRefused("id-token-azp")
    if claims.get("azp", expected.client_id) != expected.client_id:
        raise LaunchRefused("id-token-azp")


def _check_times(claims: dict[str, Any], now: datetime) -> None:
    moment = now.timestamp()
    if moment - LEEWAY_SECONDS >= _seconds(claims, "exp"):
        raise LaunchRefused("id-token-exp")
    if _seconds(claims, "iat") > moment + LEEWAY_SECONDS:
        raise LaunchRefused("id-token-iat")
    if "nbf" in claims and _seconds(claims, "nbf") > moment + LEEWAY_SECONDS:
        raise LaunchRefused("id-token-nbf")


def _seconds(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise LaunchRefused(f"id-token-{name}")
    return float(value)


def _check_nonce(claims: dict[str, Any], expected: Expectation) -> None:
    if expected.nonce is None:
        return
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise LaunchRefused("id-token-nonce")


def _check_at_hash(claims: dict[str, Any], expected: Expectation, alg: str) -> None:
    """When the token names the access token it came with, they must belong together (OIDC Core 3.1.3.8)."""
    if "at_hash" not in claims or expected.access_token is None:
        return
    digest = _DIGITS[alg[2:]](expected.access_token.encode()).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    if not isinstance(claims["at_hash"], str) or not hmac.compare_digest(claims["at_hash"].encode(), half.encode()):
        raise LaunchRefused("id-token-at-hash")
