"""What an attachment was said to be, against what it is (FHIR-11): size, hash, and data sent inside the entry."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any


def problems_of(body: bytes, size: int | None, promised: str | None) -> tuple[str, ...]:
    """How `body` differs from its promised `size` (bytes) and hash: size-differs, hash-differs.

    `promised` is the base64 of the SHA-1 (FHIR R4 Attachment.hash); some servers send a SHA-256, told by its length.
    """
    problems = []
    if size is not None and size != len(body):
        problems.append("size-differs")
    if promised:
        sha1 = hashlib.sha1(body, usedforsecurity=False).digest()
        known = {base64.b64encode(one).decode() for one in (sha1, hashlib.sha256(body).digest())}
        if promised.strip() not in known:
            problems.append("hash-differs")
    return tuple(problems)


def inline_data(attachment: Any) -> bytes | None:
    """The bytes of `attachment.data`; None when there are none or they are not base64."""
    data = attachment.get("data") if isinstance(attachment, dict) else None
    if not isinstance(data, str):
        return None
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
