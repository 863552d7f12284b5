"""The signed copy: the whole form as it was shown, what was chosen, and who signed it when (HIP-10, HIP-11 (c)(4),
P11-01: 21 CFR 11.50 name, time and meaning; 11.70 bound to the words by their hash).

It is made from the kept text and the sealed signature only, in the language of the form, and is dated by the decision:
the same decision gives the same bytes, on any day.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC
from zoneinfo import ZoneInfo

from flask_babel import force_locale, format_datetime, gettext
from sqlalchemy.orm import Session

from consent.authorization import ConsentText
from consent.decision import Decision
from consent.kept_texts import signed_text
from consent.record_decision import read_evidence
from patient_portal.choices.choosing import TEXTS
from patient_portal.choices.receipts import reference_of
from patient_portal.family.words import relation_in
from patient_portal.papers.typesetting import Paper, Part, facts, heading, paragraphs, pdf_of, small
from patient_portal.papers.words import HEADINGS, PARTS, PRIVATE, said
from patient_portal.wiring import Wiring
from vocabulary.errors import NotFound
from vocabulary.resource import Resource

SHA256 = "https://patient-portal.example/fhir/StructureDefinition/attachment-sha256"


def signed_pdf(session: Session, wiring: Wiring, decision: Decision) -> bytes:
    """The signed copy of a donation as PDF/UA-1; NotFound when nothing was signed. In the person's own context."""
    evidence = read_evidence(wiring.keyring, decision)
    text = signed_text(session, decision, evidence, TEXTS)
    return pdf_of(signed_paper(decision, text, evidence, f"{wiring.settings.base_url}/choices"))


def attachment(session: Session, wiring: Wiring, decision: Decision) -> Resource | None:
    """`Consent.sourceAttachment` for the person's receipt (CON-03): what the signed copy is, and its hashes.

    R4 defines `hash` as SHA-1; the SHA-256 goes beside it. Stores are not sent this: the copy holds the person's name.
    """
    try:
        pdf = signed_pdf(session, wiring, decision)
    except NotFound:
        return None
    digest = base64.b64encode(hashlib.sha256(pdf).digest()).decode()
    return {
        "contentType": "application/pdf",
        "language": decision.language,
        "url": f"{wiring.settings.base_url}/choices/decision/{decision.id}/signed.pdf",
        "size": len(pdf),
        "hash": base64.b64encode(hashlib.sha1(pdf, usedforsecurity=False).digest()).decode(),
        "title": f"Signed copy, {decision.text_id} version {decision.text_version}",
        "creation": decision.recorded_at.astimezone(UTC).isoformat(timespec="seconds"),
        "extension": [{"url": SHA256, "valueBase64Binary": digest}],
    }


def signed_paper(decision: Decision, text: ConsentText, evidence: Mapping[str, str], choices_url: str) -> Paper:
    """What the copy says; needs an application for its words, no session and no clock."""
    with force_locale(text.language):
        title = gettext("The form you signed")
        parts = (
            heading(1, title),
            *_words(text),
            heading(2, gettext("What was chosen")),
            _choice(decision),
            heading(2, gettext("Signature")),
            *(paragraphs(line) for name in ("signature", "representative") for line in _lines(text, name)),
            _signature(decision, evidence),
            heading(2, gettext("To stop")),
            paragraphs(gettext("Open %(address)s and stop there, or send us a letter.", address=choices_url)),
            heading(2, gettext("For the record")),
            _record(decision, text),
            small(
                gettext("The fingerprint shows that these are the words that were signed. It changes with any letter.")
            ),
        )
        footer = f"{text.title} · {reference_of(decision)}"
        return Paper(title, text.language, decision.recorded_at, footer, parts)


def _words(text: ConsentText) -> Iterator[Part]:
    """The form, in the order in which it is shown for signing."""
    yield paragraphs(*_lines(text, "key_information"))
    yield heading(2, text.title)
    for name, words in HEADINGS.items():
        if text.parts.get(name):
            yield heading(3, said(words))
            yield paragraphs(*_lines(text, name))


def _lines(text: ConsentText, part: str) -> list[str]:
    return text.parts.get(part, "").splitlines()


def _signature(decision: Decision, evidence: Mapping[str, str]) -> Part:
    relation = relation_in(evidence)
    by = gettext("The person whose record it is")
    if relation is not None:
        by = gettext("Someone who acts for that person: %(authority)s", authority=gettext(relation.msgid))
    # On the clock of whoever signed, then: a signature's date is the day on which they signed, for whoever reads it.
    signed_at = decision.recorded_at.astimezone(ZoneInfo(evidence.get("zone", "UTC")))
    return facts(
        [
            (gettext("Signed by"), evidence.get("signed_name", "")),
            (gettext("Who signed"), by),
            (gettext("When"), format_datetime(signed_at, "long", rebase=False)),
            (gettext("Meaning"), gettext("You allow what the form says. You can stop at any time.")),
        ]
    )


def _record(decision: Decision, text: ConsentText) -> Part:
    rows = [
        (gettext("Reference"), reference_of(decision)),
        (gettext("Decision"), f"{decision.id} / {decision.version}"),
        (gettext("Account"), str(decision.by.account_id or "-")),
        (gettext("Text"), f"{text.id} / {text.version} / {text.language}"),
        (gettext("Fingerprint of the text (SHA-256)"), text.sha256),
        (gettext("Recorded at"), decision.recorded_at.astimezone(UTC).isoformat(timespec="milliseconds")),
    ]
    if decision.expires_at is not None:
        rows.append((gettext("Ends at"), decision.expires_at.astimezone(UTC).isoformat(timespec="seconds")))
    return facts(rows, exact=frozenset(label for label, _ in rows))


def _choice(decision: Decision) -> Part:
    chosen = ", ".join(said(words) for each, words in PARTS.items() if each in decision.categories)
    switched = ", ".join(said(words) for each, words in PRIVATE.items() if each in decision.sensitive)
    label = gettext("Very private kinds you switched on")
    return facts([(gettext("Parts you chose"), chosen), (label, switched or gettext("none"))])
