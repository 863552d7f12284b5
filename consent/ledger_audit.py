"""The whole ledger against what was kept of it: leaves against rows, tiles and signed heads. Pure, a tile at a time.

Memory does not grow with the ledger: an audit keeps the incomplete tiles, the findings, and at most a few runs of 256
leaves in which something is wrong.

Two trees grow side by side: `made` over the leaves as they stand, and `kept` with the stored hash of each tile in
place of its leaves. While all is well they are one. Where they part, the next signed head says which is right, and the
audit goes on from there; so one changed row does not make every later head look forged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import groupby

from consent.ledger_findings import Fault, Finding
from consent.ledger_rows import AuditedRow
from consent.ledger_search import Run, find_exchange, leads_with
from consent.merkle import GrowingTree, root_of_peaks
from consent.tiles import WIDTH, Tile, TileStack, full_root

MOST_RUNS = 8
MOST_FINDINGS = 100_000


@dataclass(frozen=True)
class HeadToMeet:
    """A head, stored here or kept by others, whose signature was found genuine."""

    size: int
    root: bytes
    published: bool = False


@dataclass
class Audit:
    """Feed it every tile in order, then ask `finish`. `start`: the first position, a multiple of 256."""

    tree: TileStack
    findings: list[Finding] = field(default_factory=list)
    heads_met: int = 0
    published_met: int = 0
    heads_not_met: int = 0
    heads_unreachable: int = 0
    sound: int = 0
    _kept: TileStack | None = None
    _parted: list[Run] = field(default_factory=list)
    _runs: list[Run] = field(default_factory=list)
    _suspects: dict[int, AuditedRow] = field(default_factory=dict)
    _blind: bool = False
    _lost: bool = False

    def tile(
        self,
        rows: Sequence[AuditedRow],
        count: int,
        heads: Sequence[HeadToMeet],
        kept: Mapping[tuple[int, int], bytes],
        *,
        sealed: bool = True,
    ) -> None:
        """The next `count` positions (256, or fewer at the end): what rows there are, the heads over sizes inside, and
        the kept tiles (level, number) that end there. `sealed`: a head covers them, so tiles must be there."""
        first = self.tree.size
        leaves = self._leaves(rows, first, count)
        self._meet_heads(first, leaves, heads)
        if count == WIDTH:
            self._end_tile(first, leaves, kept, sealed=sealed)

    def _leaves(self, rows: Sequence[AuditedRow], first: int, count: int) -> list[bytes | None]:
        leaves: list[bytes | None] = [None] * count
        for row in rows:
            leaves[row.position - first] = row.stored
            if not row.is_sound and len(self._suspects) < MOST_FINDINGS:
                self._suspects[row.position] = row
        for missing, run in groupby(range(count), key=lambda at: leaves[at] is None):
            if missing:
                places = list(run)
                gone = Finding(Fault.DELETED, first + places[0], first + places[-1], None, "the position itself")
                self._find(gone)
        return leaves

    def _meet_heads(self, first: int, leaves: Sequence[bytes | None], heads: Sequence[HeadToMeet]) -> None:
        if not heads:
            return
        lower, before = GrowingTree(), self._peaks()
        gap = next((at for at, leaf in enumerate(leaves) if leaf is None), len(leaves))
        met_all = True
        for head in heads:
            within = head.size - first
            if within > gap or self._blind:
                self.heads_unreachable += 1
                continue
            while lower.size < within:
                lower.append(leaves[lower.size] or b"")
            right = [tree for tree, peaks in before if root_of_peaks([*peaks, *lower.peaks]) == head.root]
            if right:
                self._agree(right[0], head)
                before = [(tree, peaks) for tree, peaks in before if tree is right[0]]
                continue
            self.heads_not_met += 1
            if met_all and not self._lost:
                met_all = False
                self._differs(first, leaves, within, head, before[-1][1])

    def _peaks(self) -> list[tuple[TileStack, list[bytes]]]:
        trees = [self.tree] if self._kept is None else [self.tree, self._kept]
        return [(tree, tree.peaks(lowest=1)) for tree in trees]

    def _agree(self, tree: TileStack, head: HeadToMeet) -> None:
        """A signed head leads to this tree: it alone goes on."""
        self.heads_met += 1
        self.published_met += head.published
        self.sound = head.size
        if self._kept is not None:
            if tree is self._kept:
                self._runs += self._parted
            else:
                self._tiles_forged()
            self.tree, self._kept, self._parted = tree, None, []

    def _tiles_forged(self) -> None:
        for run in self._parted:
            self._find(Finding(Fault.TILE_FORGED, run.first, run.last))

    def _differs(
        self, first: int, leaves: Sequence[bytes | None], within: int, head: HeadToMeet, before: Sequence[bytes]
    ) -> None:
        self._lost = True
        self._find(Finding(Fault.HEAD_DIFFERS, self.sound, head.size - 1))
        known = tuple(leaf or b"" for leaf in leaves)
        sound = max(self.sound - first, 0)
        self._runs.append(Run(first, known, within, sound, head.root, self.sound, tuple(before)))

    def _end_tile(
        self, first: int, leaves: Sequence[bytes | None], kept: Mapping[tuple[int, int], bytes], *, sealed: bool
    ) -> None:
        stored = kept.get((1, first // WIDTH))
        if stored is None and sealed:
            self._find(Finding(Fault.TILE_MISSING, first, first + WIDTH - 1))
        known = tuple(leaf or b"" for leaf in leaves)
        made = None if None in leaves else full_root(b"".join(known))
        if made is None and stored is None:
            self._blind = True
        root = made or stored or bytes(32)
        if stored is not None and made is not None and stored != made:
            if not any(run.first == first for run in self._runs):
                sound = max(self.sound - first, 0)
                self._parted.append(Run(first, known, WIDTH, sound, stored, max(self.sound, first)))
            self._kept = self._kept or deepcopy(self.tree)
        if self._kept is not None:
            self._compare_above(self._kept.end_tile(stored or root), kept, sealed=sealed)
            self.tree.end_tile(root)
        else:
            self._compare_above(self.tree.end_tile(root), kept, sealed=sealed)
        self._lost = self._lost and (stored is None or stored == made)
        if len(self._parted) > MOST_RUNS:
            self._give_up()

    def _compare_above(self, made: Sequence[Tile], kept: Mapping[tuple[int, int], bytes], *, sealed: bool) -> None:
        for tile in made[1:]:
            stored, width = kept.get((tile.level, tile.number)), WIDTH**tile.level
            if stored is None and not sealed:
                continue
            if stored != tile.root:
                fault = Fault.TILE_MISSING if stored is None else Fault.TILE_FORGED
                span = (tile.number * width, (tile.number + 1) * width - 1)
                self._find(Finding(fault, *span, None, f"level {tile.level}"))

    def _give_up(self) -> None:
        """Too many runs to remember: the first is named as a run, unsearched."""
        run = self._parted.pop(0)
        self._find(Finding(Fault.CHANGED, run.since, run.last))

    def finish(self) -> list[Finding]:
        """All that is wrong, by position. A run in which rows can be named is not reported as a run as well."""
        self._runs += self._parted
        for run in self._runs:
            self._explain(run)
        self._name_suspects()
        return sorted(dict.fromkeys(self.findings), key=lambda found: (found.first, found.last, found.fault.value))

    def _explain(self, run: Run) -> None:
        here = {at: row for at, row in self._suspects.items() if run.since <= at <= run.last}
        replaced = {at: row.made for at, row in here.items() if row.made and at >= run.first}
        if replaced and leads_with(run, replaced):
            for at, row in here.items():
                self._find(Finding(Fault.LEAF_REPLACED, at, at, row.decision_id))
                self._suspects.pop(at)
            return
        exchanged = find_exchange(run, [other for other in self._runs if other is not run][:MOST_RUNS])
        if exchanged is not None:
            self._find(Finding(Fault.REORDERED, *exchanged))
            return
        if not here:
            self._find(Finding(Fault.CHANGED, run.since, run.last))

    def _name_suspects(self) -> None:
        by_leaf = {row.stored: row for row in self._suspects.values()}
        for at, row in self._suspects.items():
            if row.made is None:
                self._find(Finding(Fault.DELETED, at, at, row.decision_id, "the decision"))
                continue
            other = by_leaf.get(row.made)
            if row.made != row.stored and other is not None and other.made == row.stored:
                self._find(Finding(Fault.REORDERED, min(at, other.position), max(at, other.position)))
            elif row.made != row.stored or row.detail:
                self._find(Finding(Fault.EDITED, at, at, row.decision_id, row.detail))
            else:
                detail = "the person's version before does not stand before it"
                self._find(Finding(Fault.REORDERED, at, at, row.decision_id, detail))

    def _find(self, finding: Finding) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)
