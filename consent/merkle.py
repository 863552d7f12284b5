"""The Merkle tree of RFC 9162 section 2.1: tree head, inclusion and consistency proofs, and their verification.

Hashes are SHA-256 over `0x00 || leaf input` and `0x01 || left || right`; `size` counts leaves. A proof is given as
the ranges of leaves whose tree hashes it holds: `consent/tiles.py` says from which stored hashes each is made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

Range = tuple[int, int]  # leaves from the first up to, not with, the second
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(content: bytes) -> bytes:
    """RFC 9162 section 2.1.1: the hash of one leaf's input."""
    return hashlib.sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_hash(leaves: Iterable[bytes]) -> bytes:
    """The Merkle Tree Hash of `leaves` (leaf hashes), in one pass with a stack of full subtrees."""
    tree = GrowingTree()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def root_of_peaks(peaks: Sequence[bytes]) -> bytes:
    """The root of a tree from the roots of its full subtrees, largest first."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for left in reversed(peaks[:-1]):
        root = node_hash(left, root)
    return root


class GrowingTree:
    """The roots of the full subtrees of a tree, largest first: enough to append and to compute the root.

    Appending costs O(1) amortised and the state O(log n), so sealing a head never reads the whole ledger again.
    """

    def __init__(self, peaks: Sequence[bytes] = (), size: int = 0) -> None:
        if len(peaks) != bin(size).count("1"):
            raise ValueError("a tree of this size has another number of full subtrees")
        self.size = size
        self._peaks = list(peaks)

    @property
    def peaks(self) -> tuple[bytes, ...]:
        return tuple(self._peaks)

    def append(self, leaf: bytes) -> None:
        self._peaks.append(leaf)
        full = self.size
        while full & 1:
            right = self._peaks.pop()
            self._peaks.append(node_hash(self._peaks.pop(), right))
            full >>= 1
        self.size += 1

    def root(self) -> bytes:
        return root_of_peaks(self._peaks)


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """RFC 9162 section 2.1.3.1: the ranges of leaves whose tree hashes are the audit path of the leaf at `index`
    (from 0) in the tree of `size` leaves, in the order of the path."""
    if not 0 <= index < size:
        raise ValueError("no such leaf in this tree")
    low, high, found = 0, size, []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            found.append((middle, high))
            high = middle
        else:
            found.append((low, middle))
            low = middle
    return found[::-1]


def consistency_ranges(first: int, size: int) -> list[Range]:
    """RFC 9162 section 2.1.4.1: the ranges whose tree hashes prove that the tree of the first `first` leaves is a
    prefix of that of `size`, in the order of the proof."""
    if not 0 < first <= size:
        raise ValueError("the earlier tree must be part of the later one and not empty")
    low, high, found = 0, size, []
    while first < high:
        middle = low + _split(high - low)
        if first <= middle:
            found.append((middle, high))
            high = middle
        else:
            found.append((low, middle))
            low = middle
    if low:
        found.append((low, high))
    return found[::-1]


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """RFC 9162 section 2.1.3.2."""
    if not 0 <= index < size:
        return False
    fn, sn, reached = index, size - 1, leaf
    for step in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            reached = node_hash(step, reached)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            reached = node_hash(reached, step)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and reached == root


def verify_consistency(first: int, second: int, proof: Sequence[bytes], old_root: bytes, root: bytes) -> bool:
    """RFC 9162 section 2.1.4.2."""
    if not 0 < first <= second:
        return False
    if first == second:
        return not proof and old_root == root
    steps = [old_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not steps:
        return False
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            old, new = node_hash(step, old), node_hash(step, new)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            new = node_hash(new, step)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and old == old_root and new == root
