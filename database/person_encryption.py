"""One data key per person, wrapped by the ring's key-encryption key: destroying it erases what it sealed."""

from __future__ import annotations

import secrets
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from database.keyring import KEY_BYTES, KeyRing, SealBroken, decrypted


class PersonCipher:
    """Seals and opens one person's columns. Made from the wrapped key of `person_key`."""

    def __init__(self, person: UUID, data_key: bytes) -> None:
        self.person = person
        self._cipher, self._bound = AESGCM(data_key), f":{person}"

    def seal(self, plaintext: bytes, place: str) -> bytes:
        """Encrypt; `place` is `table:column:row`, and with the person's id it is bound to the ciphertext."""
        nonce = secrets.token_bytes(12)
        return nonce + self._cipher.encrypt(nonce, plaintext, (place + self._bound).encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """Decrypt; SealBroken for another person's, another row's or changed bytes."""
        return decrypted(self._cipher, sealed[:12], sealed[12:], place + self._bound)

    def __repr__(self) -> str:
        return f"PersonCipher({self.person})"


def new_wrapped_key(ring: KeyRing, person: UUID) -> bytes:
    """A fresh random data key for `person`, wrapped."""
    return ring.seal(secrets.token_bytes(KEY_BYTES), _aad(person))


def unwrap(ring: KeyRing, person: UUID, wrapped: bytes | None) -> PersonCipher:
    """The person's cipher; SealBroken when the key was destroyed or is another person's."""
    if wrapped is None:
        raise SealBroken("person_key")
    return PersonCipher(person, ring.open(wrapped, _aad(person)))


def _aad(person: UUID) -> str:
    return f"person_key:wrapped:{person}"
