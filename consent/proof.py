"""The person's proof that a decision is in the ledger: checkable offline, against any published head (I6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.decision import Decision
from consent.leaf import leaf_of, row_for_leaf
from consent.merkle import inclusion_proof, verify_inclusion
from consent.seal import SignedHead, newest_head

log = structlog.get_logger()

MOST_LEAVES = 500_000
_LEAVES = text("SELECT ledger_leaves(:size)")


@dataclass(frozen=True)
class Proof:
    """A decision's row, salt and audit path (RFC 9162 section 2.1.3) under a signed head."""

    decision: Decision
    position: int
    path: tuple[bytes, ...]
    head: SignedHead

    def as_json(self) -> dict[str, Any]:
        """What `consent/verify_receipt.py` reads: the row exactly as it was hashed, hexadecimal else."""
        return {
            "row": row_for_leaf(self.decision),
            "salt": self.decision.salt.hex(),
            "position": self.position,
            "path": [step.hex() for step in self.path],
            "head": self.head.as_json(),
        }


def read_proof(session: Session, decision: Decision, position: int | None) -> Proof | None:
    """The proof of one's own decision, in the person's own context; None until a head covers it.

    None as well, and an alarm in the log, when the ledger no longer gives the head it once signed.
    """
    if position is None:
        return None
    head = newest_head(session, covering=position)
    if head is None or head.size > MOST_LEAVES:
        return None
    leaves = [bytes(leaf) for leaf in session.scalars(_LEAVES, {"size": head.size})]
    if len(leaves) != head.size:
        log.error("ledger.shorter-than-its-head", size=head.size)
        return None
    path = tuple(inclusion_proof(position, leaves))
    if not verify_inclusion(leaf_of(decision), position, head.size, path, head.root):
        log.error("ledger.differs-from-its-head", position=position, size=head.size)
        return None
    return Proof(decision, position, path, head)
