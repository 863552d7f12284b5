"""The letter that asks for a record, as a tagged PDF and as plain text; every language says the same sentences."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import datetime

from flask_babel import force_locale, format_date, gettext

from fhir_bridge.access.letter import TITLE, Letter, Part, parts_of
from patient_portal.edge.languages import COMPLETE
from patient_portal.papers import typesetting
from patient_portal.papers.typesetting import Paper, blanks, facts, heading, paragraphs, small
from patient_portal.papers.words import said
from vocabulary.phrase import Phrase

FOR_THE_CLINIC = "en"
"""The clinic's staff reads English; the other copy is for the person."""
WIDTH = 76
MEDIA_TYPES = {"pdf": "application/pdf", "txt": "text/plain; charset=utf-8"}


def languages_of_letter(language: str) -> tuple[str, ...]:
    """English for the clinic, and the person's own language where every sentence is translated."""
    return (FOR_THE_CLINIC,) if language not in COMPLETE else tuple(dict.fromkeys((FOR_THE_CLINIC, language)))


def letter_file(letter: Letter, language: str, ending: str, dated: datetime) -> bytes:
    """The letter in `language` as `pdf` or `txt` (MEDIA_TYPES); the same letter gives the same bytes."""
    if ending == "pdf":
        return typesetting.pdf_of(letter_paper(letter, language, dated))
    return letter_text(letter, language, dated).encode()


def letter_paper(letter: Letter, language: str, dated: datetime) -> Paper:
    """The letter to print and sign."""
    with force_locale(language):
        parts = [heading(1, said(TITLE)), paragraphs(format_date(dated, "long"))]
        if language != FOR_THE_CLINIC:
            parts.append(small(_for_you()))
        parts += [_typeset(part) for part in parts_of(letter)]
        return Paper(said(TITLE), language, dated, said(TITLE), parts)


def letter_text(letter: Letter, language: str, dated: datetime) -> str:
    """The same as plain text, for an e-mail or a message in the clinic's portal."""
    with force_locale(language):
        blocks = [said(TITLE).upper(), format_date(dated, "long")]
        if language != FOR_THE_CLINIC:
            blocks.append(_wrapped(_for_you()))
        for part in parts_of(letter):
            blocks += _as_text(part)
    return "\n\n".join(blocks) + "\n"


def _for_you() -> str:
    return str(gettext("This copy is for you. Give the clinic the English letter: its staff reads English."))


def _typeset(part: Part) -> typesetting.Part:
    words = [said(each) for each in part.words]
    if part.kind == "heading":
        return heading(2, words[0])
    if part.kind == "facts":
        return facts([(said(label), _value(value)) for label, value in part.rows])
    return blanks(*words) if part.kind == "blanks" else paragraphs(*words)


def _as_text(part: Part) -> Iterator[str]:
    if part.kind == "facts":
        yield "\n".join(_wrapped(f"{said(label)}: {_value(value)}") for label, value in part.rows)
    elif part.kind == "blanks":
        yield "\n\n".join(f"{said(label)}: ______________________________" for label in part.words)
    elif part.kind == "heading":
        title = said(part.words[0])
        yield f"{title}\n{'-' * len(title)}"
    else:
        yield from (_wrapped(said(words)) for words in part.words)


def _value(value: Phrase | str) -> str:
    return said(value) if isinstance(value, Phrase) else value


def _wrapped(words: str) -> str:
    lines = words.split("\n")
    return "\n".join(textwrap.fill(line, WIDTH, break_on_hyphens=False, break_long_words=False) for line in lines)
