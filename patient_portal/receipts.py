"""The receipt of a decision: a small document the person can keep, and anyone can check against a published head."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from consent.as_fhir import as_consent, as_provenance
from consent.decision import Decision
from consent.history import Entry
from consent.status import StoreStatus
from consent.tables import Position, TreeHead
from patient_portal.wiring import Wiring, now

# The receipt is the person's own, so it names them by nothing but "me".
PERSON_SYSTEM = "urn:ietf:rfc:3986"
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTVWXYZ"


def reference_of(decision: Decision) -> str:
    """A short reference for the phone, such as `7F3K-22QD`; derived from the random id, so it names nobody."""
    number = int.from_bytes(hashlib.sha256(decision.id.bytes).digest()[:8], "big")
    signs = ""
    for _ in range(8):
        number, rest = divmod(number, len(ALPHABET))
        signs += ALPHABET[rest]
    return f"{signs[:4]}-{signs[4:]}"


def receipt_document(session: Session, wiring: Wiring, entry: Entry, rows: Sequence[StoreStatus]) -> bytes:
    """The receipt as JSON: the decision as FHIR Consent and Provenance, its position and leaf, the newest signed
    head that covers it, and what each store has said so far. It says when it was made, for stores may answer later."""
    decision = entry.decision
    document = {
        "receipt": reference_of(decision),
        "made_at": now().isoformat(),
        "service": wiring.settings.base_url,
        "consent": as_consent(decision, PERSON_SYSTEM, "me"),
        "provenance": as_provenance(decision, PERSON_SYSTEM, "me"),
        "position": entry.position,
        "leaf": None,
        "tree_head": None,
        "stores": [_store(row) for row in rows],
    }
    if entry.position is not None:
        leaf = session.scalar(select(Position.leaf).where(Position.position == entry.position))
        head = session.scalars(
            select(TreeHead).where(TreeHead.size > entry.position).order_by(TreeHead.size.desc()).limit(1)
        ).first()
        document["leaf"] = base64.b64encode(leaf).decode() if leaf else None
        document["tree_head"] = _head(head) if head else None
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _store(row: StoreStatus) -> dict[str, object]:
    return {
        "store": row.store_id,
        "name": row.name,
        "state": row.progress.value,
        "told_at": row.told_at.isoformat() if row.told_at else None,
        "confirmed_at": row.confirmed_at.isoformat() if row.confirmed_at else None,
        "confirms_by": row.due_at.isoformat() if row.due_at else None,
        "did": str(row.did) if row.did else None,
        "cannot_undo": [str(words) for words in row.cannot_undo],
        "reference": row.reference,
    }


def _head(head: TreeHead) -> dict[str, object]:
    return {
        "size": head.size,
        "root": base64.b64encode(head.root).decode(),
        "signed_at": head.signed_at.isoformat(),
        "key": head.key_id,
        "signature": base64.b64encode(head.signature).decode(),
    }
