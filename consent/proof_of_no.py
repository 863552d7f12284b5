"""A proof that a person was out: at a place in the one order, the newest decision about this choice was a no.

A store's batch and a release say at which position they were built; that position is what is asked about. What this
shows, and what no hash tree alone can, stands in `docs/ledger.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.decision import Decision
from consent.history import Entry
from consent.kept_receipts import ONE_RECEIPT
from consent.leaf import leaf_of
from consent.ledger_hashes import LedgerIncomplete, inclusion_path, inclusion_paths
from consent.merkle import verify_inclusion
from consent.proof import Proof
from consent.seal import SignedHead, first_head_covering, newest_head
from vocabulary.errors import Conflict, Invalid

_TOLD = text(
    "SELECT b.store_id, b.id, b.first_event + at.place AS event, b.first_position, b.last_position, b.told_at,"  # noqa: S608 - constants
    " coalesce(one.detail, whole.detail) AS detail, coalesce(one.signature, whole.signature) AS signature,"
    " coalesce(one.received_at, whole.received_at) AS received_at"
    " FROM store_batch b"
    " JOIN LATERAL (SELECT i - 1 AS place FROM unnest(b.positions) WITH ORDINALITY AS p(position, i)"
    "   WHERE p.position = :position ORDER BY i LIMIT 1) at ON true"
    " LEFT JOIN LATERAL (SELECT r.detail, r.signature, r.received_at FROM receipt r WHERE r.store_id = b.store_id"
    "   AND r.event_number = b.first_event + at.place ORDER BY r.id DESC LIMIT 1) one ON true"
    f" LEFT JOIN LATERAL (SELECT {ONE_RECEIPT} AS detail, r.signature, r.received_at"
    "   FROM receipt r WHERE r.batch_id = b.id AND r.event_number IS NULL LIMIT 1) whole ON true"
    " WHERE b.store_id = ANY (:stores) AND b.first_position <= :position AND b.last_position >= :position"
    " ORDER BY b.store_id, b.first_event"
)


@dataclass(frozen=True)
class ProofOfNo:
    """Every decision of the person before position `at`, each proven under `head`. The newest about the choice is the
    no; `dated` proves it under the first head that was signed over it."""

    no: Decision
    at: int
    places: tuple[Proof, ...]
    head: SignedHead
    dated: Proof
    told: tuple[dict[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        """What `consent/verify_receipt.py` reads."""
        return {
            "about": {"choice": self.no.choice.value, "effort": self.no.effort},
            "at": self.at,
            "decisions": [place.place_as_json() for place in self.places],
            "head": self.head.as_json(),
            "dated": {"path": [step.hex() for step in self.dated.path], "head": self.dated.head.as_json()},
            "stores": list(self.told),
        }


def decisions_before(history: Sequence[Entry], entry: Entry, at: int) -> list[Entry]:
    """The person's decisions before position `at`, by version; Conflict unless the newest about the choice is a no."""
    person = entry.decision.person_id
    own = [each for each in history if each.decision.person_id == person]
    before = sorted(
        (each for each in own if each.position is not None and each.position < at), key=lambda one: one.decision.version
    )
    about = [each for each in before if each.decision.subject == entry.decision.subject]
    if not about or not about[-1].decision.is_no:
        raise Conflict("not-out-then")
    return before


def end_of(history: Sequence[Entry], entry: Entry, size: int) -> int:
    """Up to which position the no held: the next yes about the same choice, else all that the head covers."""
    lifted = [
        each.position
        for each in history
        if each.decision.person_id == entry.decision.person_id
        and each.decision.subject == entry.decision.subject
        and each.decision.version > entry.decision.version
        and not each.decision.is_no
        and each.position is not None
    ]
    return min([*lifted, size])


def prove_no(
    session: Session, history: Sequence[Entry], entry: Entry, stores: Sequence[str], at: int | None = None
) -> ProofOfNo:
    """The proof, in the person's own context. `history`: `read_history`'s. `at`: the position asked about; by default
    the last at which this no held.

    Conflict when the decision is a yes, no head covers it yet, or the person was not out at `at`; Invalid for an `at`
    that no head covers.
    """
    if not entry.decision.is_no:
        raise Conflict("not-a-no")
    head = newest_head(session, covering=entry.position) if entry.position is not None else None
    if head is None or entry.position is None:
        raise Conflict("not-sealed-yet")
    at = end_of(history, entry, head.size) if at is None else at
    if not entry.position < at <= head.size:
        raise Invalid("at")
    before = decisions_before(history, entry, at)
    no = next(each for each in reversed(before) if each.decision.subject == entry.decision.subject)
    positions = [each.position for each in before if each.position is not None]
    position = no.position or 0
    first = first_head_covering(session, position) or head
    try:
        paths = inclusion_paths(session, positions, head.size)
        dated = inclusion_path(session, position, first.size)
    except LedgerIncomplete as error:
        raise Conflict("not-sealed-yet") from error
    places = tuple(
        _proven(each.decision, position, path, head)
        for each, position, path in zip(before, positions, paths, strict=True)
    )
    told = _told(session, stores, position)
    return ProofOfNo(no.decision, at, places, head, _proven(no.decision, position, dated, first), told)


def _proven(decision: Decision, position: int, path: Sequence[bytes], head: SignedHead) -> Proof:
    if not verify_inclusion(leaf_of(decision), position, head.size, path, head.root):
        raise Conflict("ledger-differs-from-its-head")
    return Proof(decision, position, tuple(path), head)


def _told(session: Session, stores: Sequence[str], position: int) -> tuple[dict[str, Any], ...]:
    """What each store was sent about the no and signed."""
    rows = session.execute(_TOLD, {"stores": list(stores), "position": position})
    return tuple(
        {
            "store": row.store_id,
            "batch": str(row.id),
            "event": row.event,
            "batch_positions": [row.first_position, row.last_position],
            "told_at": row.told_at.isoformat() if row.told_at else None,
            "receipt": row.detail,
            "receipt_signature": row.signature,
            "received_at": row.received_at.isoformat() if row.received_at else None,
        }
        for row in rows
    )
