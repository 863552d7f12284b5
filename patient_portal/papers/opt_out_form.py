"""The form for those without an account, to print or to fill in by hand; the same words as on the page."""

from __future__ import annotations

from datetime import UTC, datetime

from flask_babel import force_locale, gettext

from patient_portal.papers.typesetting import Paper, blanks, heading, paragraphs, ticks

WRITTEN = datetime(2026, 11, 22, tzinfo=UTC)
"""The day of the form's words: the file says this date whenever it is fetched."""


def opt_out_form(language: str, help_phone: str) -> Paper:
    """An empty form; it holds nothing about anybody."""
    with force_locale(language):
        title = gettext("My choice about sharing my cancer data")
        parts = [
            heading(1, title),
            paragraphs(gettext("My care does not change, whatever I choose. I can change my mind at any time.")),
            blanks(
                gettext("My full name"),
                gettext("My date of birth"),
                gettext("My clinic or hospital, and my record number there if I know it"),
                gettext("My phone number (so that you can tell me when it is done)"),
            ),
            heading(2, gettext("I mark what I want:")),
            ticks(
                gettext(
                    "Take me out of CancerLinQ. This covers every clinic where I am a patient, and all new builds of"
                    " CancerLinQ Discovery."
                ),
                gettext("Stop all sharing of my data for research studies."),
            ),
            paragraphs(
                gettext(
                    "I understand: data that shows who I am is removed going forward. Data without names that was given"
                    " out before cannot be called back. My state’s cancer registry still gets the report that state law"
                    " requires."
                )
            ),
            blanks(
                gettext("Signature and date"),
                gettext("If I sign for someone else: my name, and what gives me the right"),
            ),
            paragraphs(f"{gettext('Give this form to your nurse or the front desk. Questions?')} {help_phone}"),
        ]
        return Paper(title, language, WRITTEN, title, parts)
