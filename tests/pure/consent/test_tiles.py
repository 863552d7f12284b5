"""Proofs and heads out of tiles are those of the whole tree, whatever its size and wherever sealing went on."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.merkle import (
    GrowingTree,
    consistency_ranges,
    inclusion_ranges,
    root_hash,
    verify_consistency,
    verify_inclusion,
)
from consent.tiles import Span, Tile, TileStack, full_root, partial_spans, range_hash, spans_of
from tests.support.draws import draws

MOST = 66_200  # a little more than one tile of level 2
LEAVES = [hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(MOST)]
SIZES = (
    st.integers(1, 1_500) | st.integers(65_000, MOST) | st.sampled_from([255, 256, 257, 512, 65_535, 65_536, 65_537])
)


class Stored:
    """What the database would hold for the tree of all leaves."""

    def __init__(self) -> None:
        self.tiles = {(tile.level, tile.number): tile.root for tile in TileStack().extend(b"".join(LEAVES))}

    def read(self, spans: list[Span]) -> dict[Span, bytes]:
        return {span: b"".join(self._one(span.level, number) for number in range(span.start, span.stop))
                for span in spans}  # fmt: skip

    def _one(self, level: int, number: int) -> bytes:
        return LEAVES[number] if level == 0 else self.tiles[level, number]


STORED = Stored()
PEAKS: list[tuple[bytes, ...]] = []
_growing = GrowingTree()
for _number, _leaf in enumerate(LEAVES):
    if _number % 256 == 0:
        PEAKS.append(_growing.peaks)
    _growing.append(_leaf)


def root_at(size: int) -> bytes:
    """The root of the first `size` leaves, by the plain stack of subtrees."""
    whole = size // 256
    tree = GrowingTree(PEAKS[whole], whole * 256)
    for leaf in LEAVES[whole * 256 : size]:
        tree.append(leaf)
    return tree.root()


def test_tiles_are_the_full_subtrees() -> None:
    """c2sp.org/tlog-tiles: the n-th hash of level l is the tree hash of 256**l leaves from n * 256**l on."""
    assert len(STORED.tiles) == MOST // 256 + 1
    for (level, number), root in [*list(STORED.tiles.items())[::37], ((2, 0), STORED.tiles[2, 0])]:
        width = 256**level
        assert root == root_hash(LEAVES[number * width : (number + 1) * width])


@given(SIZES, st.data())
@draws(60)
def test_proofs_out_of_tiles(size: int, data: st.DataObject) -> None:
    """Issue 3, ledger: inclusion and consistency proofs hold, from at most 255 hashes a level and side."""
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root, old_root = root_at(size), root_at(first)
    for ranges in (inclusion_ranges(index, size), consistency_ranges(first, size)):
        spans = spans_of(ranges)
        assert sum(span.stop - span.start for span in spans) <= 2 * 255 * 3
        assert all(span.stop - span.start <= 256 for span in spans)
    inclusion = [range_hash(each, STORED.read(spans_of([each]))) for each in inclusion_ranges(index, size)]
    assert verify_inclusion(LEAVES[index], index, size, inclusion, root)
    consistency = [range_hash(each, STORED.read(spans_of([each]))) for each in consistency_ranges(first, size)]
    assert verify_consistency(first, size, consistency, old_root, root)


@given(SIZES, st.lists(st.integers(0, 600), max_size=6))
@draws(40)
def test_a_new_process_goes_on_from_tiles(size: int, steps: list[int]) -> None:
    """Issue 3, ledger: whatever the batches, the tiles and the root are those of one go; resuming reads O(log n)."""
    size = min(size, MOST - sum(steps))
    tree = TileStack(size, list(STORED.read(partial_spans(size)).values()))
    made: list[Tile] = []
    for step in steps:
        made += tree.extend(b"".join(LEAVES[tree.size : tree.size + step]))
        assert tree.root() == root_at(tree.size)
        tree = TileStack(tree.size, list(STORED.read(partial_spans(tree.size)).values()))
    assert all(STORED.tiles[tile.level, tile.number] == tile.root for tile in made)


def test_a_tile_can_stand_for_its_leaves() -> None:
    """Auditing: where a tile is known, its root takes the place of its leaves."""
    tree = TileStack()
    for number in range(258):
        tree.end_tile(STORED.tiles[1, number])
    tree.extend(b"".join(LEAVES[tree.size : tree.size + 9]))
    assert tree.root() == root_at(258 * 256 + 9)


def test_wrong_state_is_refused() -> None:
    """A sealer never goes on from hashes that cannot be the incomplete tiles of its size."""
    with pytest.raises(ValueError, match="other incomplete tiles"):
        TileStack(300, [LEAVES[0]])
    assert full_root(LEAVES[0]) == LEAVES[0]
