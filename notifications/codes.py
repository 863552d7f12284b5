"""Six-digit codes that prove a number: ten minutes, five tries, kept only as a keyed hash (SMS-02, SMS-13)."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

DIGITS = 6
LIFETIME = timedelta(minutes=10)
TRIES = 5
ENTROPY_BYTES = 16

Verdict = Literal["right", "wrong", "expired", "too-many"]


def new_code(entropy: bytes) -> str:
    """Six digits from at least 16 random bytes (so many that no digit is likelier than another by over 2^-100)."""
    if len(entropy) < ENTROPY_BYTES:
        raise ValueError("too little entropy for a code")
    return f"{int.from_bytes(entropy, 'big') % 10**DIGITS:0{DIGITS}d}"


def as_typed(text: str) -> str:
    """What a person typed or pasted, without spaces and dashes; empty when it cannot be a code."""
    kept = re.sub(r"[\s\-–.]", "", text[:40])
    return kept if re.fullmatch(rf"[0-9]{{{DIGITS}}}", kept) else ""


@dataclass(frozen=True)
class HeldCode:
    """What is kept of a code: its keyed hash, when it ends, and how often it was tried."""

    hash: bytes | None
    expires_at: datetime | None
    tries: int


def judge(held: HeldCode, given_hash: bytes, now: datetime) -> Verdict:
    """Is the code right? The page says the same for every answer but `right` (SMS-13: a generic error)."""
    if held.tries >= TRIES:
        return "too-many"
    if held.hash is None or held.expires_at is None or now >= held.expires_at:
        return "expired"
    return "right" if hmac.compare_digest(held.hash, given_hash) else "wrong"
