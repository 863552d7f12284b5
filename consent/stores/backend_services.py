"""Signing in at a FHIR server as a program: SMART Backend Services with private_key_jwt (SMART App Launch 2.2).

The key is made from the key ring's `client-signing` key: P-384 (ES384, one of the two that SMART names), its number
taken from HKDF-SHA-384 with extra bits (FIPS 186-5 A.2.1), so that the ring stays the one file to keep.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from consent.stores.adapter import NotDelivered
from database.keyring import Key, KeyRing
from outbound.client import OutboundClient
from outbound.limits import Limits
from vocabulary.errors import PortalError

LIMITS = Limits(connect_seconds=5, read_seconds=10, total_seconds=15, max_bytes=256 * 1024)
SCOPE = "system/Consent.crus system/Provenance.crus"
ASSERTION_SECONDS = 240  # SMART allows five minutes
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def signing_key(key: Key) -> ECKey:
    """The P-384 key that belongs to one `client-signing` key of the ring; its id there is its `kid`."""
    drawn = HKDF(SHA384(), 56, salt=None, info=b"patient-portal store client ES384").derive(key.raw)
    number = int.from_bytes(drawn, "big") % (_ORDER - 1) + 1
    private = ec.derive_private_key(number, ec.SECP384R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return ECKey.import_key(pem, {"kid": key.id, "use": "sig", "alg": "ES384"})


def public_keys(ring: KeyRing) -> list[dict[str, Any]]:
    """The public parts of every `client-signing` key, active first, for the JWK set that we publish."""
    return [
        {**signing_key(key).as_dict(private=False), "key_ops": ["verify"]} for key in ring.of_purpose("client-signing")
    ]


class BackendClient:
    """Keeps one access token until shortly before its end."""

    def __init__(
        self, client_id: str, token_url: str, ring: KeyRing, http: OutboundClient, clock: Callable[[], datetime]
    ) -> None:
        self._client_id, self._token_url = client_id, token_url
        self._ring, self._http, self._clock = ring, http, clock
        self._token: str | None = None
        self._until: datetime | None = None

    def headers(self) -> dict[str, str]:
        """The Authorization header; NotDelivered when no token is to be had."""
        now = self._clock()
        if self._token is None or self._until is None or now >= self._until:
            self._token, seconds = self._fetch(now)
            self._until = now + timedelta(seconds=max(0, min(seconds, 3600) - 30))
        return {"authorization": f"Bearer {self._token}"}

    def forget(self) -> None:
        """The token was refused: fetch another one next time."""
        self._token = None

    def _fetch(self, now: datetime) -> tuple[str, int]:
        form = {
            "grant_type": "client_credentials",
            "scope": SCOPE,
            "client_assertion_type": _BEARER,
            "client_assertion": self._assertion(now),
        }
        try:
            answer = self._http.request(
                "POST", self._token_url, headers={"accept": "application/json"}, form=form, within=self._token_url,
                limits=LIMITS,
            )  # fmt: skip
        except PortalError as error:
            raise NotDelivered(f"token-{error.reason}", answered=False) from None
        try:
            document = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            document = None
        token = document.get("access_token") if isinstance(document, dict) else None
        if answer.status != 200 or not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise NotDelivered(f"token-status-{answer.status}", answered=False)
        seconds = document.get("expires_in")
        return token, seconds if isinstance(seconds, int) else 300

    def _assertion(self, now: datetime) -> str:
        key = signing_key(self._ring.active("client-signing"))
        issued = int(now.timestamp())
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": self._token_url,
            "jti": uuid4().hex,
            "iat": issued,
            "exp": issued + ASSERTION_SECONDS,
        }
        return jwt.encode({"alg": "ES384", "typ": "JWT", "kid": key.kid}, claims, key, algorithms=["ES384"])
