"""What the law says about getting one's record, each fact with where it stands and when we wrote it down (X-03).

Facts of general reach only: a state may give more. The texts are 45 CFR 164.524 and what the U.S. Department of Health
and Human Services (HHS) says of it; `WRITTEN_ON` is the day on which these sentences were written down. A fact that
names a requirement was held against it; one that names none has to be held against the law's own text by a person
before a release: `docs/right-of-access.md` lists them, and a test holds that list to this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from vocabulary.phrase import Phrase, phrase

WRITTEN_ON = date(2026, 11, 22)


@dataclass(frozen=True)
class Fact:
    """One sentence for people, the place in the law that it rests on, and the requirement that was held against it
    (none: to be reviewed before a release)."""

    says: Phrase
    source: str
    requirement: str = ""


TIME = (
    Fact(phrase("The clinic has 30 days from the day it gets your letter."), "45 CFR 164.524(b)(2)(i)", "HIP-01"),
    Fact(phrase("Weekends and holidays count like other days."), "45 CFR 164.524(b)(2)(i)"),
    Fact(
        phrase(
            "It may take up to 30 days more, once. For that it must write to you within the first 30 days, tell "
            "you why, and name the date."
        ),
        "45 CFR 164.524(b)(2)(ii)",
        "HIP-01",
    ),
)
FORM = (
    Fact(
        phrase(
            "You choose the form. If the clinic can easily make it so, it must. If not, it has to agree with you on "
            "another form that you can read."
        ),
        "45 CFR 164.524(c)(2)",
        "HIP-02",
    ),
    Fact(
        phrase(
            "It can send an electronic copy to a person or place that you name. For that you sign a letter that "
            "says who and where."
        ),
        "45 CFR 164.524(c)(3)(ii); Ciox Health v. Azar (D.D.C. 2020)",
        "HIP-03",
    ),
)
FEES = (
    Fact(
        phrase(
            "For a copy the clinic may charge only for copying, supplies and postage, and for a summary if you agreed "
            "to its price."
        ),
        "45 CFR 164.524(c)(4)",
        "HIP-02",
    ),
    Fact(phrase("Looking at your record costs nothing."), "45 CFR 164.524(c)(4)"),
    Fact(phrase("It may not charge for looking for your record or for keeping it."), "45 CFR 164.524(c)(4)"),
    Fact(
        phrase("For an electronic copy it may ask a flat $6.50 or less, so that it need not work out its costs."),
        "HHS, Individuals’ Right under HIPAA to Access their Health Information",
    ),
    Fact(
        phrase("These limits do not hold when the copy goes to somebody else. Ask for the price first."),
        "Ciox Health v. Azar (D.D.C. 2020)",
        "HIP-03",
    ),
    Fact(phrase("This service never charges you."), "", "HIP-02"),
)
DENIAL = (
    Fact(
        phrase(
            "A clinic that says no must write to you in plain words: why, whether another clinician can review the "
            "decision, and how to complain."
        ),
        "45 CFR 164.524(d)(2)",
        "HIP-04",
    ),
    Fact(phrase("It must still give you every part that the reason does not cover."), "45 CFR 164.524(d)(1)"),
    Fact(
        phrase(
            "Two things are outside this right: a therapist’s own notes kept apart from the chart, and papers made "
            "for a court case."
        ),
        "45 CFR 164.524(a)(1)",
        "HIP-04",
    ),
    Fact(
        phrase(
            "If the reason is that it could put someone in danger, you can ask for a review. A clinician who did not "
            "take part in the decision must look at it again."
        ),
        "45 CFR 164.524(a)(3), (a)(4), (d)(4)",
    ),
    Fact(
        phrase("A bill that you have not paid is no reason to say no."),
        "HHS, Individuals’ Right under HIPAA to Access their Health Information",
    ),
)
COMPLAINT = (
    Fact(
        phrase(
            "You can complain to the clinic’s privacy officer, and to the Office for Civil Rights (OCR) of the U.S. "
            "Department of Health and Human Services. It costs nothing."
        ),
        "45 CFR 160.306(a)",
    ),
    Fact(
        phrase(
            "Complain in writing, within 180 days after you knew of the problem. Name the clinic and say what happened."
        ),
        "45 CFR 160.306(b)",
    ),
    Fact(phrase("Nobody may treat you worse because you complained."), "45 CFR 160.316"),
)
OCR_ADDRESS = (
    "Centralized Case Management Operations",
    "U.S. Department of Health and Human Services",
    "200 Independence Avenue, S.W.",
    "Room 509F HHH Bldg.",
    "Washington, D.C. 20201",
)
OCR_PORTAL = "https://ocrportal.hhs.gov"
OCR_MAIL = "OCRComplaint@hhs.gov"
OCR_PHONE = "1-800-368-1019"
OCR_TDD = "1-800-537-7697"
OCR_SOURCE = "HHS, hhs.gov/hipaa/filing-a-complaint"

ALL_FACTS = (*TIME, *FORM, *FEES, *DENIAL, *COMPLAINT)
TO_REVIEW = tuple(fact for fact in ALL_FACTS if not fact.requirement)
"""What no requirement confirms. With them, where and how to complain (`OCR_SOURCE`)."""
