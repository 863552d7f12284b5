"""A client's signed assertion, checked (SMART App Launch 2.2 backend services; RFC 7521, RFC 7523; SMART-42). Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from patient_portal.api.clients import ApiClient, client_called

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ["RS384", "ES384"]
LONGEST_SECONDS = 300
SKEW_SECONDS = 60
MOST_BYTES = 8_000


class NotAccepted(Exception):
    """The assertion proves nothing; `reason` is for our own log only, the client is told `invalid_client`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Assertion:
    """Who signed it, and what makes it usable once: its `jti` until `expires_at`."""

    client: ApiClient
    jti: str
    expires_at: datetime


def check_assertion(token: str, clients: Collection[ApiClient], token_endpoint: str, now: datetime) -> Assertion:
    """The assertion, if one of `clients` signed it for this `token_endpoint` and it is fresh; else NotAccepted.

    Keys come from our own file only: `jku`, `jwk` and `x5u` in the header are refused (SEC-11). `jti` is not yet
    known to be unused: the caller keeps it.
    """
    if len(token) > MOST_BYTES:
        raise NotAccepted("too-long")
    header, claims = _unverified(token)
    if header.get("alg") not in ALGORITHMS or header.get("typ") != "JWT" or not isinstance(header.get("kid"), str):
        raise NotAccepted("header")
    if set(header) - {"alg", "typ", "kid"}:
        raise NotAccepted("header-with-more")
    client = client_called(clients, claims.get("iss"))
    if client is None or claims.get("sub") != client.id:
        raise NotAccepted("unknown-client")
    try:
        jws.deserialize_compact(token, _key_called(client.keys, header["kid"]), algorithms=ALGORITHMS)
    except (JoseError, ValueError):
        raise NotAccepted("signature") from None
    return Assertion(client, _jti(claims), _fresh_until(claims, token_endpoint, now))


def _unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, only to choose the key: nothing in them counts before the signature is checked."""
    try:
        parts = jws.extract_compact(token.encode("ascii"))
        claims = orjson.loads(parts.payload)
    except (JoseError, ValueError):
        raise NotAccepted("not-a-jwt") from None
    if not isinstance(claims, dict):
        raise NotAccepted("not-a-jwt")
    return dict(parts.headers()), claims


def _key_called(keys: KeySet, kid: str) -> RSAKey | ECKey:
    for key in keys.keys:
        if key.kid == kid and isinstance(key, (RSAKey, ECKey)):
            return key
    raise NotAccepted("unknown-key")


def _fresh_until(claims: dict[str, Any], token_endpoint: str, now: datetime) -> datetime:
    audience, expires, begins = claims.get("aud"), claims.get("exp"), claims.get("nbf", 0)
    if audience not in (token_endpoint, [token_endpoint]):
        raise NotAccepted("audience")
    if isinstance(expires, bool) or not isinstance(expires, (int, float)) or not isinstance(begins, (int, float)):
        raise NotAccepted("times")
    left = expires - now.timestamp()
    if not -SKEW_SECONDS < left <= LONGEST_SECONDS + SKEW_SECONDS or begins > now.timestamp() + SKEW_SECONDS:
        raise NotAccepted("not-fresh")
    return datetime.fromtimestamp(expires, UTC) + timedelta(seconds=SKEW_SECONDS)


def _jti(claims: dict[str, Any]) -> str:
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= 200:
        raise NotAccepted("jti")
    return jti
