"""Check a receipt offline: `python verify_receipt.py receipt.json [public-key-hex]`. Standard library only.

It recomputes the leaf from the row printed on the receipt, walks the path to the head, and says whether the head
contains this decision. With the service's public key and the `cryptography` package it checks the signature too.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any


def canonical(value: object) -> bytes:
    """RFC 8785 for what a receipt holds: texts, whole numbers, lists, true, false and null."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def root_of(proof: dict[str, Any]) -> bytes:
    """The root that this row, salt and path lead to (RFC 9162 section 2.1.3.2)."""
    reached = hashlib.sha256(b"\x00" + bytes.fromhex(proof["salt"]) + canonical(proof["row"])).digest()
    place, last = int(proof["position"]), int(proof["head"]["size"]) - 1
    if not 0 <= place <= last:
        return b""
    for step in map(bytes.fromhex, proof["path"]):
        if last == 0:
            return b""
        if place & 1 or place == last:
            reached = hashlib.sha256(b"\x01" + step + reached).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            reached = hashlib.sha256(b"\x01" + reached + step).digest()
        place, last = place >> 1, last >> 1
    return reached if last == 0 else b""


def is_signed(head: dict[str, Any], public_key: bytes) -> bool:
    """Whether the head carries the service's Ed25519 signature."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - the rest works without this package
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    signed = canonical({name: head[name] for name in ("root", "signed_at", "size")})
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(base64.b64decode(head["signature"]), signed)
    except InvalidSignature:
        return False
    return True


def check(receipt: dict[str, Any], public_key: bytes | None = None) -> str:
    """One sentence: what the receipt proves."""
    proof = receipt.get("proof", receipt)
    if root_of(proof).hex() != proof["head"]["root"]:
        return "NOT PROVEN: this decision does not lead to the head on the receipt."
    if public_key is not None and not is_signed(proof["head"], public_key):
        return "NOT PROVEN: the head was not signed with this key."
    signed = "signed head" if public_key is not None else "head (signature not checked)"
    return f"Proven: the decision is number {proof['position']} of {proof['head']['size']} under the {signed}."


if __name__ == "__main__":
    key = bytes.fromhex(sys.argv[2]) if len(sys.argv) > 2 else None
    verdict = check(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), key)
    sys.stdout.write(verdict + "\n")
    sys.exit(0 if verdict.startswith("Proven") else 1)
