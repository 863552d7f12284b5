"""One row of the ledger against its leaf: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from consent.leaf import leaf_of
from consent.rows import decision_of


@dataclass(frozen=True, slots=True)
class AuditedRow:
    """A position as found. `stored`: its leaf; `made`: the leaf that its decision's row gives now, None without a row.

    `detail` names what else is wrong with it: it then counts as edited whatever its leaf.
    """

    position: int
    decision_id: UUID
    stored: bytes
    made: bytes | None
    detail: str = ""
    disordered: bool = False

    @property
    def is_sound(self) -> bool:
        return self.made == self.stored and not self.detail and not self.disordered


def audited(row: Mapping[str, Any]) -> AuditedRow:
    """`row`: `decision.*`, and of `position`: `position`, `placed_decision`, `placed_person`, `placed_version`,
    `leaf`, and `follows`: the person's version before stands at an earlier position."""
    position, leaf, placed = row["position"], bytes(row["leaf"]), row["placed_decision"]
    if row["id"] is None:
        return AuditedRow(position, placed, leaf, None)
    try:
        decision = decision_of(row)
        made = leaf_of(decision)
    except (ValueError, TypeError, KeyError):
        return AuditedRow(position, placed, leaf, b"", "its values cannot be read")
    # What the leaf does not see: it takes these two as sets.
    changed = [name for name in ("categories", "sensitive") if list(row[name]) != sorted(set(row[name]))]
    if row["placed_person"] != row["person_id"]:
        changed.append("person of the position")
    if row["placed_version"] != row["version"]:
        changed.append("version of the position")
    detail = f"not as recorded: {', '.join(changed)}" if changed else ""
    return AuditedRow(position, placed, leaf, made, detail, disordered=not row["follows"])
