"""Heads as the field's standard writes them: a checkpoint (c2sp.org/tlog-checkpoint), a signed note with Ed25519.

The note's text is the log's name (its address without the scheme), the size and the root; the key's name is the log's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.seal import SignedHead
from database.keyring import KeyRing
from vocabulary.errors import Invalid

_ED25519 = b"\x01"
_DASH = "\u2014 "


def origin_of(base_url: str) -> str:
    """The log's name, such as `portal.example.org/ledger`."""
    return base_url.split("://", 1)[-1].rstrip("/") + "/ledger"


def note_text(origin: str, size: int, root: bytes) -> str:
    """The text that is signed; it ends in a newline."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def note_key_id(origin: str, public: bytes) -> bytes:
    """The four bytes that name a key beside its name (c2sp.org/signed-note)."""
    return hashlib.sha256(origin.encode() + b"\n" + _ED25519 + public).digest()[:4]


def verifier_key(origin: str, public: bytes) -> str:
    """The key as witnesses configure it: `name+id+base64(type || key)`."""
    return f"{origin}+{note_key_id(origin, public).hex()}+{base64.b64encode(_ED25519 + public).decode()}"


def checkpoint(ring: KeyRing, origin: str, head: SignedHead) -> str:
    """A head that was signed before, as a checkpoint. The caller has checked the head's own signature."""
    key = Ed25519PrivateKey.from_private_bytes(ring.active("head-signing").raw)
    text = note_text(origin, head.size, head.root)
    named = note_key_id(origin, key.public_key().public_bytes_raw())
    return f"{text}\n{_DASH}{origin} {base64.b64encode(named + key.sign(text.encode())).decode()}\n"


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint says; `genuine` when one of the given keys signed it under the log's own name."""

    origin: str
    size: int
    root: bytes
    genuine: bool


def read_checkpoint(note: str, public_keys: dict[str, bytes]) -> Checkpoint:
    """Read one checkpoint; Invalid when it is none."""
    text, blank, signatures = note.rpartition("\n\n")
    lines = text.split("\n")
    if not blank or len(lines) < 3 or not lines[1].isdigit():
        raise Invalid("not-a-checkpoint")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except binascii.Error:
        raise Invalid("not-a-checkpoint") from None
    signed = (text + "\n").encode()
    lines_of_keys = [line.removeprefix(_DASH).split(" ") for line in signatures.splitlines() if line.startswith(_DASH)]
    genuine = any(
        _signed_by(lines[0], signed, line, public) for line in lines_of_keys for public in public_keys.values()
    )
    return Checkpoint(lines[0], int(lines[1]), root, genuine)


def _signed_by(origin: str, text: bytes, line: list[str], public: bytes) -> bool:
    if len(line) != 2 or line[0] != origin:
        return False
    try:
        signature = base64.b64decode(line[1], validate=True)
        if signature[:4] != note_key_id(origin, public):
            return False
        Ed25519PublicKey.from_public_bytes(public).verify(signature[4:], text)
    except (binascii.Error, InvalidSignature):
        return False
    return True
