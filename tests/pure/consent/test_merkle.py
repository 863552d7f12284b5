"""RFC 9162 trees, checked against the RFC's own definitions and pymerkle."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree, InvalidProof
from pymerkle import verify_consistency as verify_consistency_by_pymerkle
from pymerkle import verify_inclusion as verify_inclusion_by_pymerkle

from consent import verify_receipt
from consent.decision import Answer, Means
from consent.leaf import canonical, leaf_of, row_for_leaf
from consent.merkle import (
    GrowingTree,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    root_hash,
    verify_consistency,
    verify_inclusion,
)
from tests.pure.consent.decisions import T0, decided
from tests.support.draws import draws


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(bytes([number % 256, number // 256])) for number in range(count)]


def inclusion_proof(index: int, all_leaves: list[bytes]) -> list[bytes]:
    return [root_hash(all_leaves[start:stop]) for start, stop in inclusion_ranges(index, len(all_leaves))]


def consistency_proof(first: int, all_leaves: list[bytes]) -> list[bytes]:
    return [root_hash(all_leaves[start:stop]) for start, stop in consistency_ranges(first, len(all_leaves))]


def subproof(first: int, all_leaves: list[bytes], complete: bool = True) -> list[bytes]:
    """RFC 9162 section 2.1.4.1 as it is written there."""
    if first == len(all_leaves):
        return [] if complete else [root_hash(all_leaves)]
    k = 1 << (len(all_leaves) - 1).bit_length() - 1
    if first <= k:
        return [*subproof(first, all_leaves[:k], complete), root_hash(all_leaves[k:])]
    return [*subproof(first - k, all_leaves[k:], False), root_hash(all_leaves[:k])]


def path(index: int, all_leaves: list[bytes]) -> list[bytes]:
    """RFC 9162 section 2.1.3.1 as it is written there."""
    if len(all_leaves) == 1:
        return []
    k = 1 << (len(all_leaves) - 1).bit_length() - 1
    if index < k:
        return [*path(index, all_leaves[:k]), root_hash(all_leaves[k:])]
    return [*path(index - k, all_leaves[k:]), root_hash(all_leaves[:k])]


def test_known_answers() -> None:
    """RFC 9162 2.1.1: the empty tree and the empty leaf."""
    assert root_hash([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


def independent_tree(count: int) -> InmemoryTree:
    tree = InmemoryTree(algorithm="sha256")
    for number in range(count):
        tree.append_entry(bytes([number % 256, number // 256]))
    return tree


@pytest.mark.parametrize("count", range(1, 34))
def test_root_equals_an_independent_library(count: int) -> None:
    """Threats section 6: pymerkle, as an independent verifier, computes the same root."""
    assert independent_tree(count).get_root() == root_hash(leaves(count))


@given(st.integers(1, 400), st.data())
@draws(25)
def test_proofs_agree_with_an_independent_library(count: int, data: st.DataObject) -> None:
    """Issue 3: pymerkle accepts our inclusion and consistency proofs, and we accept its own."""
    all_leaves, tree = leaves(count), independent_tree(count)
    index, first = data.draw(st.integers(0, count - 1)), data.draw(st.integers(1, count))
    root, old_root = root_hash(all_leaves), root_hash(all_leaves[:first])
    theirs = tree.prove_inclusion(index + 1, count)
    assert [bytes(step) for step in theirs.path] == [all_leaves[index], *inclusion_proof(index, all_leaves)]
    verify_inclusion_by_pymerkle(all_leaves[index], root, theirs)
    consistency = tree.prove_consistency(first, count)
    verify_consistency_by_pymerkle(old_root, root, consistency)
    ours = consistency_proof(first, all_leaves)
    assert verify_consistency(first, count, ours, old_root, root)
    if first < count:
        with pytest.raises(InvalidProof):
            verify_consistency_by_pymerkle(root, root, consistency)
        assert not verify_consistency(first, count, ours, root, root)


@given(st.integers(1, 70), st.data())
@draws(150)
def test_proofs_are_the_rfcs_own(count: int, data: st.DataObject) -> None:
    """RFC 9162 2.1.3.1 and 2.1.4.1: the ranges name what the recursive definitions compute, in the same order."""
    all_leaves = leaves(count)
    index, first = data.draw(st.integers(0, count - 1)), data.draw(st.integers(1, count))
    assert inclusion_proof(index, all_leaves) == path(index, all_leaves)
    assert consistency_proof(first, all_leaves) == subproof(first, all_leaves)


@given(st.integers(1, 40), st.data())
@draws(150)
def test_inclusion(count: int, data: st.DataObject) -> None:
    """RFC 9162 2.1.3: every leaf proves itself, and no other leaf, place or size does."""
    all_leaves = leaves(count)
    index = data.draw(st.integers(0, count - 1))
    proof, root = inclusion_proof(index, all_leaves), root_hash(all_leaves)
    assert verify_inclusion(all_leaves[index], index, count, proof, root)
    assert not verify_inclusion(leaf_hash(b"other"), index, count, proof, root)
    assert not verify_inclusion(all_leaves[index], index, count, [*proof, root], root)
    if proof:
        assert not verify_inclusion(all_leaves[index], index, count, proof[:-1], root)


@given(st.integers(1, 40), st.integers(0, 40))
@draws(150)
def test_consistency(first: int, more: int) -> None:
    """RFC 9162 2.1.4: a longer tree proves it kept the shorter; one with a changed leaf cannot."""
    second = first + more
    old, new = leaves(second)[:first], leaves(second)
    proof = consistency_proof(first, new)
    assert verify_consistency(first, second, proof, root_hash(old), root_hash(new))
    changed = [leaf_hash(b"changed"), *old[1:]]
    assert not verify_consistency(first, second, proof, root_hash(changed), root_hash(new))


@given(st.integers(0, 70), st.integers(0, 70))
def test_growing_resumes_from_its_peaks(first: int, more: int) -> None:
    """Threats section 6: sealing a head goes on from the last one and never reads the whole ledger again."""
    all_leaves = leaves(first + more)
    start = GrowingTree()
    for leaf in all_leaves[:first]:
        start.append(leaf)
    resumed = GrowingTree(start.peaks, first)
    for leaf in all_leaves[first:]:
        resumed.append(leaf)
    assert resumed.root() == root_hash(all_leaves)


def test_leaf_covers_every_field() -> None:
    """Decisions (Merkle leaf): effort, scope, language, text version, actor: each change gives another leaf."""
    decision = decided(3)
    changes = {
        "version": 4,
        "answer": Answer.YES,
        "language": "es",
        "text_version": 2,
        "means": Means.PAPER,
        "reason": "asked on the phone",
        "practice": "riverside-main",
        "confirmed_by_person": False,
        "expires_at": T0,
        "asked_at": T0 + timedelta(microseconds=1),
        "evidence_sealed": b"x",
        "idempotency_key": "k",
        "salt": b"t" * 32,
    }
    made = {leaf_of(decision)} | {leaf_of(replace(decision, **{name: value})) for name, value in changes.items()}  # type: ignore[arg-type]  # changes are fields by name
    assert len(made) == len(changes) + 1
    assert "salt" not in row_for_leaf(decision)


def test_leaf_is_the_published_form() -> None:
    """Threats section 6: SHA-256(0x00 || salt || RFC 8785 form), recomputable with the standard library alone."""
    decision = decided(3)
    canonical = json.dumps(row_for_leaf(decision), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert leaf_of(decision) == hashlib.sha256(b"\x00" + decision.salt + canonical.encode()).digest()


VALUES = st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text() | st.lists(st.text(), max_size=3)


@given(st.dictionaries(st.sampled_from(sorted(row_for_leaf(decided(3)))), VALUES))
@draws(300)
def test_canonical_form_is_rfc_8785(row: dict[str, object]) -> None:
    """Decisions (Merkle leaf): the fast form gives the very bytes of RFC 8785, and so does a plain standard library."""
    assert canonical(row) == rfc8785.dumps(row)  # type: ignore[arg-type]  # rfc8785 names JSON more narrowly
    assert canonical(row) == verify_receipt.canonical(row)


@pytest.mark.parametrize("code", [*range(0x20), 0x7F, 0x2028, 0x2029, 0xFFFD, 0x1F600])
def test_canonical_form_of_odd_signs(code: int) -> None:
    """RFC 8785 3.2.2.2: control characters, quotes and signs beyond ASCII."""
    row: dict[str, object] = {"reason": f'a{chr(code)}"\\/b'}
    assert canonical(row) == rfc8785.dumps(row) == verify_receipt.canonical(row)  # type: ignore[arg-type]  # rfc8785 names JSON more narrowly
