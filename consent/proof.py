"""The person's proof that a decision is in the ledger: checkable offline, against any published head (I6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.orm import Session

from consent.decision import Decision
from consent.leaf import leaf_of, row_for_leaf
from consent.ledger_hashes import LedgerIncomplete, inclusion_path
from consent.merkle import verify_inclusion
from consent.seal import SignedHead, newest_head

log = structlog.get_logger()


@dataclass(frozen=True)
class Proof:
    """A decision's row, salt and audit path (RFC 9162 section 2.1.3) under a signed head."""

    decision: Decision
    position: int
    path: tuple[bytes, ...]
    head: SignedHead

    def as_json(self) -> dict[str, Any]:
        """What `consent/verify_receipt.py` reads: the row exactly as it was hashed, hexadecimal else."""
        return self.place_as_json() | {"head": self.head.as_json()}

    def place_as_json(self) -> dict[str, Any]:
        """The same without the head, for several decisions under one."""
        return {
            "row": row_for_leaf(self.decision),
            "salt": self.decision.salt.hex(),
            "position": self.position,
            "path": [step.hex() for step in self.path],
        }


def read_proof(session: Session, decision: Decision, position: int | None) -> Proof | None:
    """The proof of one's own decision under the newest head, in the person's own context; None until one covers it.

    None as well, and an alarm in the log, when the ledger no longer gives the head it once signed.
    """
    if position is None:
        return None
    head = newest_head(session, covering=position)
    return prove_under(session, decision, position, head) if head else None


def prove_under(session: Session, decision: Decision, position: int, head: SignedHead) -> Proof | None:
    """The proof of a decision under a head that covers it; None, and an alarm, when it does not lead there."""
    try:
        path = tuple(inclusion_path(session, position, head.size))
    except LedgerIncomplete:
        log.error("ledger.shorter-than-its-head", size=head.size)  # noqa: TRY400 - a trace says no more
        return None
    if not verify_inclusion(leaf_of(decision), position, head.size, path, head.root):
        log.error("ledger.differs-from-its-head", position=position, size=head.size)
        return None
    return Proof(decision, position, path, head)
