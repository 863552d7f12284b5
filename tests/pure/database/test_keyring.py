"""The key ring: sealing is bound to its place, rotation keeps what was sealed, the file is nobody else's."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.keyring import PURPOSES, KeyRing, SealBroken
from database.person_encryption import new_wrapped_key, unwrap
from vocabulary.config_file import ConfigError

RING = KeyRing.fresh()


@given(st.binary(max_size=200), st.text(max_size=40))
def test_what_is_sealed_opens_in_its_place_only(plaintext: bytes, place: str) -> None:
    """SEC-06: a ciphertext moved to another row, or changed by one bit, does not open."""
    sealed = RING.seal(plaintext, place)
    assert RING.open(sealed, place) == plaintext
    with pytest.raises(SealBroken):
        RING.open(sealed, place + "x")
    changed = bytearray(sealed)
    changed[-1] ^= 1
    with pytest.raises(SealBroken):
        RING.open(bytes(changed), place)


def test_a_sealed_value_shows_nothing_of_what_it_holds() -> None:
    """SEC-06: the same text sealed twice differs, and is not in the ciphertext."""
    first, second = RING.seal(b"canary-token", "a"), RING.seal(b"canary-token", "a")
    assert first != second
    assert b"canary-token" not in first + second


@pytest.mark.parametrize("other", [b"", b"\x00\x00\x00\x09", b"short", bytes(60)])
def test_rubbish_does_not_open(other: bytes) -> None:
    """SEC-06: what was never sealed is refused in one way."""
    with pytest.raises(SealBroken):
        RING.open(other, "a")


def test_rotation_keeps_what_was_sealed() -> None:
    """SEC-06: a retired key opens; the new one seals; a ring without the old one does not open."""
    sealed = RING.seal(b"before", "a")
    rotated = RING.rotated("key-encryption")
    assert rotated.open(sealed, "a") == b"before"
    assert rotated.seal(b"x", "a")[:4] != sealed[:4]
    with pytest.raises(SealBroken):
        KeyRing([key for key in rotated.keys if key.retired is None]).open(sealed, "a")


def test_a_persons_key_opens_for_that_person_alone() -> None:
    """Decisions, Data at rest: a data key per person; another person's never opens it; destroyed means gone."""
    one, other = uuid4(), uuid4()
    wrapped = new_wrapped_key(RING, one)
    sealed = unwrap(RING, one, wrapped).seal(b"record", "table:column:1")
    rotated = RING.rotated("key-encryption")
    assert unwrap(rotated, one, wrapped).open(sealed, "table:column:1") == b"record"
    with pytest.raises(SealBroken):
        unwrap(RING, other, wrapped)
    with pytest.raises(SealBroken):
        unwrap(RING, one, None)


def test_blind_indexes_are_equal_for_equal_values_and_kinds_only() -> None:
    """Decisions, Data at rest: an index joins equal values, and tells nothing across kinds or rings."""
    assert RING.blind_index("phone", "+15550100") == RING.blind_index("phone", "+15550100")
    assert RING.blind_index("phone", "+15550100") != RING.blind_index("mrn", "+15550100")
    assert RING.blind_index("phone", "1") != KeyRing.fresh().blind_index("phone", "1")


def test_the_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """SEC-13: a ring that others may read, is incomplete or is no ring is refused with the remedy."""
    path = tmp_path / "ring.json"
    RING.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert {key.purpose for key in KeyRing.load(path).keys} == set(PURPOSES)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        KeyRing.load(path)
    KeyRing(RING.keys[:2]).save(path)
    with pytest.raises(ConfigError, match="no active key for"):
        KeyRing.load(path)
    path.write_text("{")
    with pytest.raises(ConfigError, match="not a key ring"):
        KeyRing.load(path)
    with pytest.raises(ConfigError, match="portal keys new"):
        KeyRing.load(tmp_path / "absent.json")


def test_a_ring_never_shows_a_secret() -> None:
    """SEC-07: the printed form of a key names it and no more."""
    shown = repr(RING.keys) + repr(RING.active("head-signing"))
    assert all(key.secret not in shown for key in RING.keys)
