"""Standard Webhooks signatures, made and checked (standardwebhooks.com, symmetric `v1`; SUB-11).

HMAC-SHA-256 over `id.timestamp.body`. The clock is an argument here, where the library reads it, so that a check
can be tested at the very edge of its five minutes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

TOLERANCE_SECONDS = 300


def sign(secrets: Sequence[str], message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """The three headers; one signature for each of the (overlapping) `whsec_…` secrets, separated by spaces."""
    stamp = str(int(now.timestamp()))
    signatures = (base64.b64encode(_mac(secret, message_id, stamp, body)).decode() for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def is_genuine(
    secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime, *, message_id: str | None = None
) -> bool:
    """Whether one of `secrets` signed this body within five minutes of `now`; `message_id`: the id it must answer."""
    given = {name.lower(): value for name, value in headers.items()}
    identity, stamp = given.get("webhook-id"), given.get("webhook-timestamp")
    signatures = given.get("webhook-signature", "")
    if not identity or not stamp or not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
        return False
    if message_id is not None and identity != message_id:
        return False
    if abs(now.timestamp() - int(stamp)) > TOLERANCE_SECONDS:
        return False
    made = [_mac(secret, identity, stamp, body) for secret in secrets]
    return any(
        hmac.compare_digest(signature, expected) for signature in _v1_signatures(signatures) for expected in made
    )


def _v1_signatures(header: str) -> list[bytes]:
    found = []
    for part in header.split(" ")[:8]:
        version, _, value = part.partition(",")
        if version != "v1":
            continue
        try:
            found.append(base64.b64decode(value, validate=True))
        except (binascii.Error, ValueError):
            continue
    return found


def _mac(secret: str, message_id: str, stamp: str, body: bytes) -> bytes:
    key = base64.b64decode(secret.removeprefix("whsec_") + "==")
    if not key:
        raise ValueError("a signing secret may not be empty")
    made = hmac.new(key, f"{message_id}.{stamp}.".encode(), hashlib.sha256)
    made.update(body)
    return made.digest()
