"""Standard Webhooks signatures (standardwebhooks.com): check what comes in, sign what goes out."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence

TOLERANCE_SECONDS = 300


def is_genuine(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether one of `secrets` (`whsec_…`, two while one replaces the other) signed `body` within five minutes of
    `now` (seconds since 1970). `headers` have small letters."""
    message_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
        return False
    if abs(now - int(stamp)) > TOLERANCE_SECONDS:
        return False
    expected = [_mac(secret, message_id, stamp, body) for secret in secrets]
    given = _signatures(headers.get("webhook-signature", ""))
    return any(hmac.compare_digest(one, own) for one in given for own in expected)


def sign(secrets: Sequence[str], message_id: str, body: bytes, now: float) -> dict[str, str]:
    """The three headers for `body`: one signature for each secret, so that the portal may drop either."""
    stamp = str(int(now))
    made = (base64.b64encode(_mac(secret, message_id, stamp, body)).decode() for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{one}" for one in made),
    }


def _signatures(header: str) -> list[bytes]:
    """What the header holds of scheme v1; at most eight are looked at."""
    found = []
    for part in header.split(" ")[:8]:
        scheme, _, value = part.partition(",")
        if scheme == "v1":
            try:
                found.append(base64.b64decode(value, validate=True))
            except (binascii.Error, ValueError):
                continue
    return found


def _mac(secret: str, message_id: str, stamp: str, body: bytes) -> bytes:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    if len(key) < 24:
        raise ValueError("a signing secret has at least 24 bytes")
    return hmac.new(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
