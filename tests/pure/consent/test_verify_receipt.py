"""The stand-alone script: its own signature check and its own trees, against libraries that are not ours."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from consent import verify_receipt
from consent.merkle import consistency_ranges, leaf_hash, root_hash
from consent.verify_receipt import check_later, is_consistent, is_ed25519, main
from tests.support.draws import draws

# RFC 8032 section 7.1, tests 1 to 3: public key, message, signature.
RFC_8032 = [
    ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
]  # fmt: skip


@pytest.mark.parametrize(("public", "message", "signature"), RFC_8032)
def test_signatures_of_the_standard(public: str, message: str, signature: str) -> None:
    """RFC 8032 7.1: the vectors are accepted, and not with one bit changed."""
    key, said, signed = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
    assert is_ed25519(key, said, signed)
    assert not is_ed25519(key, said + b"x", signed)
    assert not is_ed25519(key, said, bytes([signed[0] ^ 1]) + signed[1:])
    larger = int.from_bytes(signed[32:], "little") + verify_receipt.Q
    assert not is_ed25519(key, said, signed[:32] + larger.to_bytes(32, "little")), "RFC 8032 5.1.7: s below the order"


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 511))
@draws(15)
def test_signatures_agree_with_an_independent_library(seed: bytes, message: bytes, bit: int) -> None:
    """Issue 3: what `cryptography` signs is accepted, and nothing that differs from it in one bit."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes_raw(), key.sign(message)
    assert is_ed25519(public, message, signature)
    changed = (int.from_bytes(signature, "big") ^ (1 << bit)).to_bytes(64, "big")
    assert not is_ed25519(public, message, changed)


@pytest.mark.parametrize("public", [b"", b"k" * 31, b"\xff" * 32, bytes(31) + b"\x80"])
def test_what_is_no_key_signs_nothing(public: bytes) -> None:
    """A forged key of a strange shape is refused, without an error."""
    assert not is_ed25519(public, b"", bytes(64))


@given(st.integers(1, 70), st.integers(0, 70))
@draws(80)
def test_consistency_as_the_service_proves_it(first: int, more: int) -> None:
    """RFC 9162 2.1.4: a later head is shown to continue an earlier one, and a forked one is not."""
    leaves = [leaf_hash(bytes([number])) for number in range(first + more)]
    proof = [root_hash(leaves[start:stop]) for start, stop in consistency_ranges(first, first + more)]
    old, root = root_hash(leaves[:first]), root_hash(leaves)
    assert is_consistent(first, first + more, proof, old, root)
    assert not is_consistent(first, first + more, proof, leaf_hash(b"other"), root)


def test_a_file_that_is_none_of_ours_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Issue 3: who asked for the consistency of other sizes reads what to ask for, not that history was changed; what
    cannot be read is not proven, and no error."""
    leaves = [leaf_hash(bytes([number])) for number in range(5)]
    head = {"size": 3, "root": root_hash(leaves[:3]).hex()}
    later = {"first": 2, "proof": [], "head": {"size": 5, "root": root_hash(leaves).hex()}}
    asks = "/ledger/consistency?first=3&second="
    assert asks in check_later({"proof": {"head": head}}, later)
    assert asks in check_later({"proof": {"head": head}}, {**later, "first": 3, "head": None})
    assert check_later({"proof": {"head": head}}, {**later, "first": 3}).startswith("NOT PROVEN")
    assert check_later({"proof": None}, later).startswith("NOT CHECKED")
    for number, text in enumerate(["", "[]", "{}", '{"proof": {"head": 7}}', '{"decisions": []}']):
        (tmp_path / str(number)).write_text(text, encoding="utf-8")
        assert main([str(tmp_path / str(number)), "--key", "00"]) == 1
    assert capsys.readouterr().out.count("NOT PROVEN") == 5


def test_it_needs_nothing_but_python() -> None:
    """Issue 3: the script imports the standard library only."""
    tree = ast.parse(Path(verify_receipt.__file__).read_text(encoding="utf-8"))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {name.split(".")[0] for name in names} <= set(sys.stdlib_module_names)
