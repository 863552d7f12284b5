"""Tiles: the hash of every complete run of 256, of 65,536, … leaves, kept so that nothing is ever read twice. Pure.

As in a tiled transparency log (c2sp.org/tlog-tiles) a tile of level `l` spans 256**(l + 1) leaves and holds 256
hashes. Here each hash of a level >= 1 is one stored value, `Tile`: the root of the complete tile below it, by level
and number; the hashes of level 0 are the leaves. So any proof, and a sealer's whole state, is made from at most 255
hashes of each level: four levels at 100 million leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from consent.merkle import Range, root_of_peaks

HEIGHT = 8
WIDTH = 1 << HEIGHT
BYTES = 32


@dataclass(frozen=True)
class Span:
    """The hashes of `level` from number `start` up to, not with, `stop`; never more than 256 of them."""

    level: int
    start: int
    stop: int

    @property
    def bytes(self) -> int:
        return BYTES * (self.stop - self.start)


@dataclass(frozen=True)
class Tile:
    """The root of the complete run of leaves `number * 256**level` up to, not with, `(number + 1) * 256**level`."""

    level: int
    number: int
    root: bytes


def subtrees(start: int, stop: int) -> list[tuple[int, int]]:
    """(height, index) of the full subtrees that make up a range of a Merkle tree, largest first.

    `start` is a multiple of the largest power of two in the range's length, as it is in every proof.
    """
    found = []
    for height in range((stop - start).bit_length() - 1, -1, -1):
        if stop - start >= 1 << height:
            found.append((height, start >> height))
            start += 1 << height
    return found


def spans_of(ranges: Iterable[Range]) -> list[Span]:
    """What has to be read to hash these ranges, largest subtrees first."""
    return [_span(height, index) for start, stop in ranges for height, index in subtrees(start, stop)]


def _span(height: int, index: int) -> Span:
    level, rest = divmod(height, HEIGHT)
    return Span(level, index << rest, (index + 1) << rest)


def range_hash(asked: Range, read: Mapping[Span, bytes]) -> bytes:
    """The tree hash of a range, from the hashes read for it (joined, 32 bytes each)."""
    return root_of_peaks([full_root(read[_span(height, index)]) for height, index in subtrees(*asked)])


def full_root(hashes: bytes) -> bytes:
    """The root over 1, 2, 4, … 256 hashes, joined, 32 bytes each."""
    sha256 = hashlib.sha256
    while len(hashes) > BYTES:
        pairs = range(0, len(hashes), 2 * BYTES)
        hashes = b"".join([sha256(b"\x01" + hashes[at : at + 2 * BYTES]).digest() for at in pairs])
    return hashes


def partial_spans(size: int) -> list[Span]:
    """The hashes of the incomplete tile of each level of a tree of `size` leaves: a `TileStack`'s whole state."""
    found, level = [], 0
    while size:
        whole = size >> HEIGHT
        found.append(Span(level, whole << HEIGHT, size))
        size, level = whole, level + 1
    return found


class TileStack:
    """A growing tree as its incomplete tiles, one a level: appends, gives up each tile it completes, and its root."""

    def __init__(self, size: int = 0, partial: Sequence[bytes] = ()) -> None:
        """`partial`: for each of `partial_spans(size)` its hashes, joined."""
        if [len(hashes) for hashes in partial] != [span.bytes for span in partial_spans(size)]:
            raise ValueError("a tree of this size has other incomplete tiles")
        self.size = size
        self._partial = [bytearray(hashes) for hashes in partial] or [bytearray()]

    def extend(self, leaves: bytes) -> list[Tile]:
        """Append leaf hashes (joined, 32 bytes each); returns the tiles that are complete now, lower levels first."""
        made, at = [], 0
        while at < len(leaves):
            room = WIDTH * BYTES - len(self._partial[0])
            self._partial[0] += leaves[at : at + room]
            self.size += len(leaves[at : at + room]) // BYTES
            at += room
            if len(self._partial[0]) == WIDTH * BYTES:
                made += self._complete()
        return made

    def end_tile(self, root: bytes) -> list[Tile]:
        """Put a whole level-0 tile under `root` in place of the leaves of the incomplete one."""
        self.size = (self.size // WIDTH + 1) * WIDTH
        self._partial[0].clear()
        return self._raise(1, root)

    def _complete(self) -> list[Tile]:
        root = full_root(bytes(self._partial[0]))
        self._partial[0].clear()
        return self._raise(1, root)

    def _raise(self, level: int, root: bytes) -> list[Tile]:
        made = [Tile(level, (self.size >> HEIGHT * level) - 1, root)]
        if level == len(self._partial):
            self._partial.append(bytearray())
        self._partial[level] += root
        if len(self._partial[level]) == WIDTH * BYTES:
            above = full_root(bytes(self._partial[level]))
            self._partial[level].clear()
            made += self._raise(level + 1, above)
        return made

    def peaks(self, lowest: int = 0) -> list[bytes]:
        """The roots of the full subtrees, largest first; `lowest` 1 leaves out those of single leaves' tile."""
        found = []
        for hashes in reversed(self._partial[lowest:]):
            for height, index in subtrees(0, len(hashes) // BYTES):
                at = (index << height) * BYTES
                found.append(full_root(bytes(hashes[at : at + (BYTES << height)])))
        return found

    def root(self) -> bytes:
        return root_of_peaks(self.peaks())
