"""What a link may open: one FHIR file, since a SMART Health Link carries nothing else (SHL-02)."""

from __future__ import annotations

import base64
from uuid import NAMESPACE_URL, uuid5

import orjson

from patient_portal.taking_away.making import Copy, Form, bundle_pieces, pdf, pieces
from vocabulary.errors import Conflict
from vocabulary.phrase import Phrase, phrase

SHARED: dict[Form, tuple[Phrase, Phrase]] = {
    Form.IPS: (
        phrase("A short summary"),
        phrase("Problems, allergies, medicines and newest results. Most doctors start with this."),
    ),
    Form.BUNDLE: (phrase("My whole record"), phrase("Every entry, for a second opinion on everything.")),
    Form.PDF: (phrase("A PDF to read"), phrase("Your record in plain words, for a doctor without such a system.")),
}
LARGEST = 40 * 1024 * 1024


def shared_content(copy: Copy, form: Form) -> bytes:
    """The FHIR file behind a link; a PDF goes inside a DocumentReference. Conflict when it is too large for a link."""
    whole = _document(copy) if form is Form.PDF else bytearray()
    if form is not Form.PDF:
        for piece in bundle_pieces(copy) if form is Form.BUNDLE else pieces(copy, form):
            whole += piece
            if len(whole) > LARGEST:
                raise Conflict("too-large-for-a-link")
    return bytes(whole)


def _document(copy: Copy) -> bytearray:
    """The PDF as FHIR carries one: a collection with a DocumentReference (LOINC 34133-9, summary of episode note)."""
    made = copy.facts.made_at.isoformat(timespec="seconds")
    identity = str(uuid5(NAMESPACE_URL, f"{copy.pinned.persons}/{made}"))
    reference = {
        "resourceType": "DocumentReference",
        "id": identity,
        "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": "34133-9", "display": "Summary of episode note"}]},
        "date": made,
        "content": [{"attachment": {"contentType": "application/pdf", "language": copy.facts.language,
                                    "data": base64.b64encode(pdf(copy)).decode()}}],
    }  # fmt: skip
    entry = {"fullUrl": f"urn:uuid:{identity}", "resource": reference}
    bundle = {"resourceType": "Bundle", "type": "collection", "timestamp": made, "entry": [entry]}
    return bytearray(orjson.dumps(bundle))
