"""The letters that say an opt-out is carried out everywhere: one for the person, one for their clinic.

Made only when every store concerned has confirmed, and worded no further than that: each store shows what it signed and
when (decisions, Words we do not overstate).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from flask_babel import force_locale, format_date

from consent.decision import Decision
from consent.status import Progress, StoreStatus
from patient_portal.choices.receipts import reference_of
from patient_portal.papers.typesetting import Paper, Part, facts, heading, paragraphs, small, table
from patient_portal.papers.words import said
from vocabulary.phrase import Phrase, phrase

FOR_THE_CLINIC = "en"
"""The clinic's staff reads English."""
TO = ("person", "clinic")
_TITLES: dict[str, Phrase] = {
    "person": phrase("Your choice is carried out"),
    "clinic": phrase("A patient’s choice is carried out"),
}
_SAYS: dict[str, tuple[Phrase, ...]] = {
    "person": (
        phrase("You asked to be taken out of CancerLinQ. Every system that we told has confirmed it."),
        phrase("Your care stays the same. You can go back in at any time: sign in, or call us."),
    ),
    "clinic": (
        phrase("Your patient asked to be taken out of CancerLinQ. Every system that we told has confirmed it."),
        phrase("Their care must not change because of this. Please keep this letter with the patient’s papers."),
    ),
}
_LIMITS = phrase(
    "Each system confirmed with its own signature what it did. Data without names that was given out before cannot be"
    " called back. Your state’s cancer registry still gets the report that state law requires."
)


@dataclass(frozen=True)
class Completed:
    """What a letter is about: the decision, who it is about, their clinics, and what each store said."""

    decision: Decision
    name: str = field(repr=False)
    born: str = field(repr=False)
    clinics: Sequence[str]
    rows: Sequence[StoreStatus]
    help_phone: str


def completion_letter(about: Completed, to: str, language: str, now: datetime) -> Paper:
    """The letter `to` the person in `language`, or to the clinic in English."""
    code = language if to == "person" else FOR_THE_CLINIC
    with force_locale(code):
        title = said(_TITLES[to])
        rows = [(said(phrase("Date")), format_date(now, "long"))]
        rows += [(said(phrase("Name")), about.name)] if about.name else []
        rows += [(said(phrase("Born")), _day(about.born))] if about.born else []
        rows += [(said(phrase("Clinics")), ", ".join(about.clinics))] if about.clinics else []
        rows += [
            (said(phrase("Asked on")), format_date(about.decision.asked_at, "long")),
            (said(phrase("Reference")), reference_of(about.decision)),
        ]
        parts: list[Part] = [
            heading(1, title),
            facts(rows, exact=frozenset({said(phrase("Reference"))})),
            paragraphs(*(said(line) for line in _SAYS[to])),
            heading(2, said(phrase("What each system confirmed"))),
            _stores(about.rows),
            small(said(_LIMITS)),
            paragraphs(f"{said(phrase('Questions? Call us:'))} {about.help_phone}"),
        ]
        return Paper(title, code, now, f"{title} · {reference_of(about.decision)}", parts)


def _day(born: str) -> str:
    """A birth date of lesser precision stands as the hospital keeps it."""
    try:
        return str(format_date(date.fromisoformat(born), "long"))
    except ValueError:
        return born


def _stores(rows: Sequence[StoreStatus]) -> Part:
    columns = [said(phrase("System")), said(phrase("Confirmed on")), said(phrase("What it says it did"))]
    lines = [
        [
            row.name,
            format_date(row.confirmed_at, "medium") if row.confirmed_at else "",
            said(row.did) if row.did else "",
        ]
        for row in rows
        if row.progress is Progress.CONFIRMED
    ]
    return table(columns, lines, [3, 2, 5])
