"""The form for the desk: what a patient says, who wrote it down, and a code that opens the care team's entry screen.

It asks for what the screen asks for, in its order, so that a late paper can be entered without asking anybody again.
"""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

import segno
from flask_babel import force_locale, gettext

from patient_portal.papers.typesetting import Paper, blanks, codes, heading, paragraphs, small, ticks

WRITTEN = datetime(2026, 11, 22, tzinfo=UTC)
"""The day of the form's words: the file says this date whenever it is fetched."""
CODE_CM = 3.2


def care_team_form(language: str, entry: str, help_phone: str) -> Paper:
    """An empty form in `language`; `entry` is the address of the screen. It holds nothing about anybody."""
    with force_locale(language):
        title = gettext("Take me out of CancerLinQ")
        parts = [
            heading(1, title),
            paragraphs(
                gettext("My care does not change. I can change my mind at any time, on my own."),
                gettext(
                    "This covers every clinic where I am a patient. Data that shows who I am is removed going forward."
                    " Data without names that was given out before cannot be called back."
                ),
            ),
            blanks(
                gettext("My full name"), gettext("My date of birth"), gettext("My record number at this clinic"),
                gettext("Signature and date"),
            ),
            heading(2, gettext("For the care team")),
            paragraphs(gettext("Who asked?")),
            ticks(
                gettext("The patient"),
                gettext("Someone who may decide for the patient, such as a guardian"),
                gettext("A family member who passes on what the patient wants"),
                gettext("Someone else who passes on what the patient wants"),
            ),
            blanks(
                gettext("On which day did they ask? (year, month, day)"),
                gettext("In a few words, why is this recorded? (leave out the illness)"),
            ),
            codes([(_code(entry), gettext("Code that opens the page where this is entered"))], CODE_CM),
            small(
                gettext("Scan the code, or open this page, and enter the form the same day:") + f" {entry}",
                gettext("It counts from the moment it is entered. The patient is told, and can change it in one step."),
                gettext("Questions?") + f" {help_phone}",
            ),
        ]  # fmt: skip
        return Paper(title, language, WRITTEN, title, parts)


def _code(entry: str) -> str:
    out = BytesIO()
    segno.make_qr(entry, error="m").save(out, kind="svg", xmldecl=False, border=4, dark="#000", light="#fff")
    return out.getvalue().decode()
