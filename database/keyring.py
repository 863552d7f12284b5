"""The key ring: one file of keys with id, purpose and dates; envelope encryption, blind indexes and MACs.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce; the additional data binds a ciphertext to its table, column
and row, so that swapping two rows fails. Blind indexes and content MACs are HMAC-SHA-256 (FIPS 198-1).
A sealed value is `key number (4 bytes) | nonce (12) | ciphertext and tag`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vocabulary.config_file import ConfigError

PURPOSES = {
    "key-encryption": "wraps each person's data key and seals small values",
    "blind-index": "keyed index of phone numbers, record numbers, sessions",
    "content-mac": "tells whether a hospital's entry has changed",
    "client-signing": "signs in to hospitals (published as the JWKS)",
    "head-signing": "signs the heads of the ledger's tree",
    "store-receipts": "proves receipts handed to a person",
}
ROTATABLE = frozenset(PURPOSES) - {"blind-index", "content-mac"}
"""What a new key may be made for at any time; every stored index and mark would have to be made anew for the others."""
KEY_BYTES = 32


class SealBroken(Exception):
    """A sealed value does not open: wrong row, wrong key or changed bytes."""


@dataclass(frozen=True)
class Key:
    """One key. `number` is written before each ciphertext; `retired` keys still open but never seal."""

    id: str
    number: int
    purpose: str
    created: str
    secret: str
    retired: str | None = None
    demo: bool = False

    @cached_property
    def raw(self) -> bytes:
        return base64.b64decode(self.secret)

    @cached_property
    def padded(self) -> tuple[hashlib._Hash, hashlib._Hash]:
        """SHA-256 after the inner and after the outer padded key."""
        block = self.raw.ljust(64, b"\0")
        return hashlib.sha256(bytes(one ^ 0x36 for one in block)), hashlib.sha256(bytes(one ^ 0x5C for one in block))

    def __repr__(self) -> str:
        return f"Key({self.id}, {self.purpose})"


class KeyRing:
    """All keys of one installation, by purpose."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self.keys = tuple(keys)
        self._by_number = {key.number: key for key in self.keys}
        self._ciphers: dict[int, AESGCM] = {}
        self._active = {key.purpose: key for key in self.keys if key.retired is None}

    @classmethod
    def load(cls, path: Path) -> KeyRing:
        """Read the ring; ConfigError when it is missing, readable by others, or incomplete."""
        try:
            mode = path.stat().st_mode & 0o077
            document = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            problem = f"cannot be read ({error.strerror})"
            raise ConfigError(str(path), problem, "Make one with `portal keys new FILE` and set PORTAL_KEYS") from None
        except ValueError:
            raise ConfigError(str(path), "is not a key ring", "Restore it from your backup of keys") from None
        if mode:
            raise ConfigError(str(path), "may be read by others", f"Run: chmod 600 {path}")
        ring = cls([Key(**entry) for entry in document["keys"]])
        missing = sorted(set(PURPOSES) - set(ring._active))
        if missing:
            raise ConfigError(str(path), f"has no active key for {', '.join(missing)}", "Run `portal keys rotate`")
        return ring

    @classmethod
    def fresh(cls, *, demo: bool = False) -> KeyRing:
        """A new ring with one random key for each purpose."""
        return cls([_new_key(number, purpose, demo) for number, purpose in enumerate(PURPOSES, start=1)])

    def rotated(self, purpose: str) -> KeyRing:
        """A ring in which `purpose` has a new active key; the old one still opens what it sealed."""
        now = _today()
        kept = [
            Key(**{**asdict(key), "retired": now}) if key.purpose == purpose and not key.retired else key
            for key in self.keys
        ]
        demo = any(key.demo for key in self.keys)
        return KeyRing([*kept, _new_key(max(self._by_number, default=0) + 1, purpose, demo)])

    def save(self, path: Path) -> None:
        """Write the ring so that a crash leaves the old or the new file, never half of one; mode 0600."""
        staged = path.with_suffix(".new")
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"keys": [asdict(key) for key in self.keys]}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)

    @property
    def is_demo(self) -> bool:
        return any(key.demo for key in self.keys)

    def active(self, purpose: str) -> Key:
        return self._active[purpose]

    def of_purpose(self, purpose: str) -> tuple[Key, ...]:
        """Every key of a purpose, the active one first: all of them are still accepted."""
        return tuple(sorted((key for key in self.keys if key.purpose == purpose), key=lambda key: key.retired or ""))

    def seal(self, plaintext: bytes, aad: str) -> bytes:
        """Encrypt under the active key-encryption key, bound to `aad` (`table:column:row`)."""
        key = self._active["key-encryption"]
        return key.number.to_bytes(4, "big") + seal_with(key.raw, plaintext, aad)

    def open(self, sealed: bytes, aad: str) -> bytes:
        """Decrypt what `seal` made; SealBroken when the row, the key or a byte is not the same."""
        number = int.from_bytes(sealed[:4], "big")
        cipher = self._ciphers.get(number)
        if cipher is None:
            key = self._by_number.get(number)
            if key is None or key.purpose != "key-encryption":
                raise SealBroken(aad)
            cipher = self._ciphers[number] = AESGCM(key.raw)
        return decrypted(cipher, sealed[4:16], sealed[16:], aad)

    def blind_index(self, kind: str, value: str) -> bytes:
        """A keyed index of an identifying value: equal values give equal 32 bytes, and nothing can be read from it.

        The index key is not rotated by `keys rotate` alone, since every stored index would have to be made anew.
        """
        return _mac(self._active["blind-index"], f"{kind}\x00{value}".encode())

    def content_mac(self, content: bytes) -> bytes:
        return _mac(self._active["content-mac"], content)


def seal_with(key: bytes, plaintext: bytes, aad: str) -> bytes:
    nonce = secrets.token_bytes(12)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, aad.encode())


def decrypted(cipher: AESGCM, nonce: bytes, ciphertext: bytes, aad: str) -> bytes:
    """The plain bytes; SealBroken when the place, the key or a byte is not the same."""
    try:
        return cipher.decrypt(nonce, ciphertext, aad.encode())
    except (InvalidTag, ValueError) as error:
        raise SealBroken(aad.split(":", maxsplit=1)[0]) from error


def _mac(key: Key, value: bytes) -> bytes:
    """HMAC-SHA-256 from two hashes that have read the key already: a record needs some for each entry (RFC 2104)."""
    inner, outer = (one.copy() for one in key.padded)
    inner.update(value)
    outer.update(inner.digest())
    return outer.digest()


def _new_key(number: int, purpose: str, demo: bool) -> Key:
    secret = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    return Key(f"{purpose}-{number}", number, purpose, _today(), secret, demo=demo)


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
