"""What an audit of the ledger can find, each naming the row or, where no row can be named, the run of positions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Fault(StrEnum):
    """What is wrong. `changed` is the one that names a run: leaf and row were forged together inside it."""

    EDITED = "edited"
    DELETED = "deleted"
    REORDERED = "reordered"
    INSERTED = "inserted"
    LEAF_REPLACED = "leaf-replaced"
    CHANGED = "changed"
    TILE_FORGED = "tile-forged"
    TILE_MISSING = "tile-missing"
    HEAD_FORGED = "head-forged"
    HEAD_DIFFERS = "head-differs"
    HEAD_MISSING = "head-missing"


SAYS = {
    Fault.EDITED: "the row is not the one that was recorded",
    Fault.DELETED: "the row is gone",
    Fault.REORDERED: "the rows have changed places",
    Fault.INSERTED: "the row never went through the sequencer",
    Fault.LEAF_REPLACED: "the row is the one recorded; its leaf was replaced",
    Fault.CHANGED: "rows and leaves were changed together, or rows put in or taken out, somewhere in this run",
    Fault.TILE_FORGED: "the kept hash of this run is not that of its leaves, which a signed head confirms",
    Fault.TILE_MISSING: "the kept hash of this run is gone",
    Fault.HEAD_FORGED: "the head is not signed with a key of this service",
    Fault.HEAD_DIFFERS: "the ledger does not lead to this head",
    Fault.HEAD_MISSING: "the head was published, and is no longer kept",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. `first` to `last`: positions concerned, both with; `decision`: the row's id."""

    fault: Fault
    first: int
    last: int
    decision: UUID | None = None
    detail: str = ""

    def __str__(self) -> str:
        where = f"position {self.first}" if self.first == self.last else f"positions {self.first} to {self.last}"
        if self.fault in (Fault.HEAD_FORGED, Fault.HEAD_DIFFERS, Fault.HEAD_MISSING):
            where = f"head of size {self.last + 1}"
        if self.fault is Fault.REORDERED and self.first != self.last:
            where = f"positions {self.first} and {self.last}"
        named = f", decision {self.decision}" if self.decision else ""
        more = f" ({self.detail})" if self.detail else ""
        return f"{self.fault.value}: {where}{named}: {SAYS[self.fault]}{more}"

    def as_json(self) -> dict[str, object]:
        return {
            "fault": self.fault.value,
            "first": self.first,
            "last": self.last,
            "decision": str(self.decision) if self.decision else None,
            "says": str(self),
        }
