"""The words that a form puts around a consent text, in the order in which they are shown for signing.

They are the same sentences as in `templates/choices`, so that page and paper say the same in every language.
"""

from __future__ import annotations

from flask_babel import gettext

from consent.decision import DataCategory, SensitiveClass
from patient_portal.papers.glyphs import showable
from patient_portal.papers.typesetting import Part, in_tongues
from patient_portal.words.language_help import notices
from vocabulary.phrase import Phrase, phrase

# "information" and what follows it are shown under a heading; "key_information" stands first and has none.
HEADINGS: dict[str, Phrase] = {
    "information": phrase("What is shared"),
    "discloser": phrase("Who sends it"),
    "recipient": phrase("Who gets it"),
    "purpose": phrase("What for"),
    "expiry": phrase("How long"),
    "revocation": phrase("How to stop"),
    "after_stopping": phrase("After you stop"),
    "no_condition": phrase("Your care"),
    "voluntary": phrase("Up to you"),
    "redisclosure": phrase("The risk"),
    "future_use": phrase("Later use"),
    "payment": phrase("Money"),
    "copy": phrase("Your copy"),
}
PARTS: dict[DataCategory, Phrase] = {
    DataCategory.GENERAL: phrase("General"),
    DataCategory.CLINICAL: phrase("Clinical"),
    DataCategory.THERAPY: phrase("Therapy"),
}
PRIVATE: dict[SensitiveClass, Phrase] = {
    SensitiveClass.SUBSTANCE_USE: phrase("Alcohol and drug care"),
    SensitiveClass.HIV: phrase("HIV"),
    SensitiveClass.MENTAL_HEALTH: phrase("Mental health"),
    SensitiveClass.REPRODUCTIVE: phrase("Sexual and reproductive health"),
    SensitiveClass.GENETIC: phrase("Genetic tests"),
    SensitiveClass.VIOLENCE: phrase("Violence at home"),
}


def help_in_languages(before: str, language: str, phone: str) -> Part:
    """Where help in other languages is free (LANG-02): the names of those but the paper's own that our fonts can show,
    for signs that stand for letters would help nobody. `before` says it in the paper's language."""
    others = [(one.code, one.name) for one in notices() if one.code != language]
    return in_tongues(before, [(code, name) for code, name in others if "[U+" not in showable(name)], phone)


def said(words: Phrase) -> str:
    """In the language of the paper; data for the typesetter, so nothing is escaped."""
    return str(gettext(words.msgid)) % dict(words.values) if words.values else str(gettext(words.msgid))
