"""The letter that tells a person what their care team recorded, for the practice to post.

Name and address stand first, for a window envelope, and nothing else does: who only sees the envelope learns nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from flask_babel import force_locale, format_date, gettext

from consent.decision import Decision, Means
from fhir_bridge.reading.shape import objects, text, texts
from patient_portal.choices.receipts import reference_of
from patient_portal.papers.typesetting import (
    Paper,
    Part,
    address,
    blanks,
    facts,
    heading,
    new_page,
    paragraphs,
    small,
    ticks,
)
from patient_portal.papers.words import help_in_languages
from patient_portal.signing_in.hospital_patient import name_of
from vocabulary.resource import Resource


@dataclass(frozen=True)
class Letter:
    """To whom, from which clinic, about which decision. `link` and `help_phone`: where it is changed."""

    name: str = field(repr=False)
    address: Sequence[str] = field(repr=False)
    clinic: str
    decision: Decision = field(repr=False)
    link: str
    help_phone: str


def address_of(patient: Resource) -> list[str]:
    """The lines of the postal address that the hospital has, the one in use; empty when it has none."""
    order = {"home": 0, "billing": 2, "old": 9, "temp": 5}
    found = sorted(objects(patient.get("address")), key=lambda each: order.get(text(each.get("use")), 1))
    for each in found:
        if text(each.get("use")) == "old":
            continue
        place = ", ".join(filter(None, (text(each.get("city")), text(each.get("state")))))
        lines = [*texts(each.get("line")), " ".join(filter(None, (place, text(each.get("postalCode")))))]
        lines = [line for line in lines if line] or text(each.get("text")).splitlines()
        if lines:
            return lines[:6]
    return []


def letter_to(
    patient: Resource, decision: Decision, *, clinic: str, link: str, help_phone: str
) -> Letter:  # fmt: skip
    return Letter(name_of(patient), address_of(patient), clinic, decision, link, help_phone)


def letters_paper(letters: Sequence[Letter], language: str, now: datetime) -> Paper:
    """Several letters in one language, each on a page of its own."""
    papers = [care_team_letter(letter, language, now) for letter in letters]
    parts: list[Part] = []
    for paper in papers:
        parts += [new_page(), *paper.parts] if parts else paper.parts
    return Paper(papers[0].title, language, now, letters[0].clinic, parts)


def care_team_letter(letter: Letter, language: str, now: datetime) -> Paper:
    """The letter in the person's own language."""
    with force_locale(language):
        title = gettext("Your clinic recorded a choice for you")
        decision = letter.decision
        taken_back = decision.means is Means.VOID
        said = (
            gettext("Your clinic had taken you out of CancerLinQ by mistake. It has taken that back: you are in again.")
            if taken_back
            else gettext("Your clinic took you out of CancerLinQ, because it was told that you want this.")
        )
        other = gettext("No. I want to be out of CancerLinQ.") if taken_back else gettext("No. Put me back in.")
        parts = [
            address(letter.name, *letter.address),
            heading(1, title),
            paragraphs(format_date(now, "long")),
            paragraphs(said, gettext("Your care stays the same.")),
            facts([
                (gettext("Clinic"), letter.clinic),
                (gettext("They were told on"), format_date(decision.asked_at, "long")),
                (gettext("Written down on"), format_date(decision.recorded_at, "long")),
                (gettext("Reason given"), decision.reason or "-"),
                (gettext("Reference"), reference_of(decision)),
            ], exact=frozenset({gettext("Reference")})),
            heading(2, gettext("Is that what you want?")),
            paragraphs(
                gettext("If yes, you need do nothing. It counts already."),
                gettext("If not, you can change it in one step. Sign in here:") + f" {letter.link}",
                gettext("Or call us:") + f" {letter.help_phone}",
            ),
            heading(2, gettext("Or answer on this page and send it back to your clinic")),
            ticks(gettext("Yes, that is right."), other),
            blanks(gettext("Signature and date")),
            small(gettext("Your clinic sent you this because no other way to reach you was known.")),
            help_in_languages(gettext("Free help in your language:"), language, letter.help_phone),
        ]  # fmt: skip
        return Paper(title, language, now, f"{letter.clinic} · {reference_of(decision)}", parts)
