"""The receipt of a decision: a small document the person can keep, and anyone can check against a published head."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import orjson
from sqlalchemy.orm import Session

from consent.as_fhir import as_consent, as_provenance
from consent.decision import Decision
from consent.history import Entry
from consent.proof import read_proof
from consent.seal import head_keys
from consent.status import StoreStatus
from patient_portal.wiring import Wiring, now
from vocabulary.resource import Resource

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


def receipt_document(
    session: Session, wiring: Wiring, entry: Entry, rows: Sequence[StoreStatus], copy: Resource | None = None
) -> bytes:
    """The receipt as JSON: the decision as FHIR Consent and Provenance, what each store has said so far, and the proof
    that it is in the ledger (None for the few seconds until a signed head covers it). `consent/verify_receipt.py`
    checks the proof offline. It says when it was made, for stores may answer later. `copy` tells of the signed
    copy."""
    decision = entry.decision
    proof = read_proof(session, decision, entry.position)
    document = {
        "receipt": reference_of(decision),
        "made_at": now().isoformat(),
        "service": wiring.settings.base_url,
        "consent": as_consent(decision, PERSON_SYSTEM, "me", attachment=copy),
        "provenance": as_provenance(decision, PERSON_SYSTEM, "me"),
        "stores": [_store(row) for row in rows],
        "proof": proof.as_json() if proof else None,
        "head_keys": {key: public.hex() for key, public in head_keys(wiring.keyring).items()},
    }
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
