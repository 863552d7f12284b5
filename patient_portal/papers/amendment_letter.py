"""A letter that asks a hospital to correct a record (45 CFR 164.526; HIP-05). In English, for its records office."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask_babel import force_locale, format_date, gettext

from patient_portal.papers.typesetting import Paper, blanks, facts, heading, paragraphs

LANGUAGE = "en"


@dataclass(frozen=True)
class Amendment:
    """What the person typed: to whom, what stands there, what it should say, and why."""

    hospital: str
    wrong: str
    right: str
    why: str


def amendment_letter(asked: Amendment, now: datetime) -> Paper:
    """The letter, to print and sign; name and birth date are written by hand, so that no file holds them."""
    with force_locale(LANGUAGE):
        title = gettext("Request to change my health record")
        rows = [(gettext("To"), asked.hospital), (gettext("Date"), format_date(now, "long"))]
        said = [(gettext("What the record says now"), asked.wrong), (gettext("What it should say"), asked.right)]
        said += [(gettext("Why"), asked.why)] if asked.why else []
        parts = [
            heading(1, title),
            facts(rows),
            paragraphs(gettext("To the records office: under 45 CFR 164.526 I ask you to amend my record as follows.")),
            facts(said),
            paragraphs(
                gettext(
                    "Please answer me in writing within 60 days. If you need more time, you may take 30 more days once,"
                    " and must tell me why in writing."
                ),
                gettext(
                    "If you agree, please tell those who hold the wrong information. If you refuse, please tell me why,"
                    " and how I can disagree in writing and complain. Please keep this letter with my record."
                ),
            ),
            blanks(
                gettext("My full name"),
                gettext("My date of birth"),
                gettext("Where to send the answer"),
                gettext("Signature and date"),
            ),
        ]
        return Paper(title, LANGUAGE, now, title, parts)
