"""A message as a letter, for those whom no text or mail reaches: the mail's words, which say nothing of health.

The address stands first, for a window envelope, and the sender has a neutral name: who sees the envelope learns
nothing (threats.md abuse 11).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from notifications.mail import Fact, Link, Mail
from patient_portal.papers.typesetting import Paper, address, blanks, facts, heading, paragraphs
from patient_portal.papers.words import help_in_languages


@dataclass(frozen=True)
class Addressed:
    """The lines of an address, none when nobody gave us one: then whoever posts it writes it from the chart."""

    lines: tuple[str, ...] = field(repr=False)


def message_letter(mail: Mail, to: Addressed, sender: str, dated: datetime, help_phone: str) -> Paper:
    """The letter of one message; `mail` holds its words, without a link that ends mail. `dated` on the clock of the
    place where it is read: its day stands under the words."""
    place = [address(*to.lines)] if to.lines else [blanks(*_TO[mail.language])]
    words = [
        facts([(part.words, part.url)]) if isinstance(part, Link)
        else facts([(part.term, part.value)]) if isinstance(part, Fact)
        else paragraphs(part)
        for part in mail.parts
    ]  # fmt: skip
    day = dated.date().isoformat()
    more = help_in_languages(_HELP[mail.language], mail.language, help_phone)
    return Paper(
        mail.subject, mail.language, dated, sender, [*place, heading(1, mail.subject), *words, paragraphs(day), more]
    )


_HELP = {"en": "Free help in your language:", "es": "Ayuda gratis en su idioma:"}
_TO = {"en": ("Name", "Address"), "es": ("Nombre", "Dirección")}
