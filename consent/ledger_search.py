"""Where a run of leaves no longer leads to the hash that was kept: which leaves were exchanged? Pure.

Hashes cannot be undone, so this tries: every leaf in place of every other. It finds two rows that changed places with
their leaves; a row forged together with its leaf cannot be named by any search, and the run is named instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from consent.merkle import node_hash, root_of_peaks


@dataclass(frozen=True)
class Run:
    """Leaves from position `first` on, of one tile. The hash kept (of a tile, or signed) is over the first `count`;
    `before`: the peaks of the tree before them that enter it. Up to leaf `sound` an earlier head agrees; `since` is the
    position from which on none does."""

    first: int
    leaves: tuple[bytes, ...]
    count: int
    sound: int
    wanted: bytes
    since: int
    before: tuple[bytes, ...] = ()

    @property
    def last(self) -> int:
        return self.first + self.count - 1

    def leads(self, root: bytes) -> bool:
        """Whether this root of the run leads to what was kept."""
        return root_of_peaks([*self.before, root]) == self.wanted


class _Levels:
    """All hashes of a small tree, so that changing a leaf or two costs one path each."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._levels = [list(leaves)]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            pairs = [node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)]
            self._levels.append(pairs + below[len(below) & ~1 :])

    def root_with(self, changes: Mapping[int, bytes]) -> bytes:
        """The root with some leaves changed; an odd hash at a level's end rises as it is (RFC 9162 section 2.1.1)."""
        changed = dict(changes)
        for level in self._levels[:-1]:
            above: dict[int, bytes] = {}
            for at, value in changed.items():
                if at >> 1 in above:
                    continue
                other = at ^ 1
                if other >= len(level):
                    above[at >> 1] = value
                else:
                    beside = changed.get(other, level[other])
                    above[at >> 1] = node_hash(beside, value) if at & 1 else node_hash(value, beside)
            changed = above
        return changed[0]


def leads_with(run: Run, replaced: Mapping[int, bytes]) -> bool:
    """Whether the run leads to what was kept when the leaves at these positions are replaced."""
    leaves = list(run.leaves)
    for position, leaf in replaced.items():
        leaves[position - run.first] = leaf
    return run.leads(_Levels(leaves[: run.count]).root_with({0: leaves[0]}))


def find_exchange(run: Run, others: Iterable[Run] = ()) -> tuple[int, int] | None:
    """The two positions whose leaves, put back, make the run lead to what was kept: both in it, or one in another."""
    levels = _Levels(run.leaves[: run.count])
    for low in range(run.sound, run.count):
        for high in range(low + 1, len(run.leaves)):
            changes = {low: run.leaves[high]}
            if high < run.count:
                changes[high] = run.leaves[low]
            if run.leads(levels.root_with(changes)):
                return run.first + low, run.first + high
    for other in others:
        found = _from_elsewhere(run, other, levels.root_with)
        if found is not None:
            return found
    return None


def _from_elsewhere(run: Run, other: Run, root_with: Callable[[Mapping[int, bytes]], bytes]) -> tuple[int, int] | None:
    for low in range(run.sound, run.count):
        for at, leaf in enumerate(other.leaves):
            if run.leads(root_with({low: leaf})):
                return min(run.first + low, other.first + at), max(run.first + low, other.first + at)
    return None
