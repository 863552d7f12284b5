"""A letter that asks a clinic for one's record (45 CFR 164.524; HIP-01…04), in parts for PDF and text. Pure.

What the person typed goes in as values and never as words of ours. The letter asks for what the law gives and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Literal

from vocabulary.phrase import Phrase, phrase


class Scope(StrEnum):
    ALL = "all"
    SOME = "some"


class Form(StrEnum):
    """In what form the record is wanted (164.524(c)(2))."""

    PDF = "pdf"
    DATA = "data"
    DISC = "disc"
    PAPER = "paper"


FORM_WORDS: dict[Form, Phrase] = {
    Form.PDF: phrase("PDF files that I can read on a computer or phone"),
    Form.DATA: phrase("Data files that another system can read (C-CDA or FHIR)"),
    Form.DISC: phrase("A disc or USB stick with everything on it, images too"),
    Form.PAPER: phrase("Paper"),
}


@dataclass(frozen=True)
class Letter:
    """What the person said. `wanted` with Scope.SOME; `other_name` and `other_where` name a third party, or are empty.
    `send_to` is an e-mail or street address, empty when they will fetch it. All are as typed, without control signs."""

    name: str
    born: str
    clinic: str
    clinic_address: str = ""
    record_number: str = ""
    reach: str = ""
    scope: Scope = Scope.ALL
    wanted: str = ""
    form: Form = Form.PDF
    send_to: str = ""
    other_name: str = ""
    other_where: str = ""

    @property
    def to_somebody_else(self) -> bool:
        return bool(self.other_name)


LONGEST: dict[str, int] = {each.name: 200 for each in fields(Letter)} | {
    "clinic_address": 500, "wanted": 1500, "other_where": 500, "send_to": 300,
}  # fmt: skip
NAME_FIRST = phrase("Write your full name, so that the clinic can find your record.")
BIRTH = phrase("Write your date of birth, so that the clinic can find your record.")
CLINIC = phrase("Write the name of the clinic or hospital.")
WHICH = phrase("Choose one of these.")
WANTED = phrase("Say which parts of your record you want.")
OTHER = phrase("Write who gets it and where to send it. The law asks for both.")
ELECTRONIC = phrase("For somebody else, the law covers electronic copies only. Choose another form.")
TOO_LONG = phrase("This is too long. Make it shorter.")


def read_letter(sent: Mapping[str, str]) -> tuple[Letter | None, dict[str, Phrase]]:
    """The letter that a form describes, or None and what to mend, by field."""
    said = {each.name: _clean(sent.get(each.name, "")) for each in fields(Letter)}
    if sent.get("who", "me") != "other":
        said["other_name"] = said["other_where"] = ""
    wrong: dict[str, Phrase] = {name: TOO_LONG for name, words in said.items() if len(words) > LONGEST[name]}
    for name, words in (("name", NAME_FIRST), ("born", BIRTH), ("clinic", CLINIC)):
        if not said[name]:
            wrong[name] = words
    if said["scope"] not in set(Scope):
        wrong["scope"] = WHICH
    elif said["scope"] == Scope.SOME and not said["wanted"]:
        wrong["wanted"] = WANTED
    if said["form"] not in set(Form):
        wrong["form"] = WHICH
    if sent.get("who") == "other":
        wrong |= {name: OTHER for name in ("other_name", "other_where") if not said[name]}
        if said["form"] == Form.PAPER:
            wrong["form"] = ELECTRONIC
    if wrong:
        return None, wrong
    return Letter(**{**said, "scope": Scope(said["scope"]), "form": Form(said["form"])}), {}  # type: ignore[arg-type]  # the two enumerations are given as such


def as_kept(letter: Letter) -> dict[str, Any]:
    """The letter as JSON, to be sealed."""
    return asdict(letter)


def from_kept(kept: Mapping[str, Any]) -> Letter:
    return Letter(**{**kept, "scope": Scope(kept["scope"]), "form": Form(kept["form"])})


Kind = Literal["heading", "facts", "paragraph", "blanks"]


@dataclass(frozen=True)
class Part:
    """One part: a heading or paragraph of one phrase, labels with values (`rows`), or labels with lines to write on."""

    kind: Kind
    words: tuple[Phrase, ...] = ()
    rows: tuple[tuple[Phrase, Phrase | str], ...] = ()


TITLE = phrase("Request for my health record")


def parts_of(letter: Letter) -> tuple[Part, ...]:
    """The letter's parts in order; empty facts are left out."""
    facts: list[tuple[Phrase, Phrase | str]] = [
        (phrase("To"), "\n".join(filter(None, (letter.clinic, letter.clinic_address)))),
        (phrase("To the attention of"), phrase("Medical records, or the privacy officer")),
        (phrase("My name"), letter.name),
        (phrase("My date of birth"), letter.born),
        (phrase("My record number at your clinic"), letter.record_number),
        (phrase("How to reach me"), letter.reach),
    ]
    return (
        Part("facts", rows=tuple((label, value) for label, value in facts if value)),
        _say(phrase("A federal law, the HIPAA Privacy Rule, gives me the right to get my health record "
                    "(45 CFR 164.524). I ask you for a copy.")),
        Part("heading", (phrase("What I ask for"),)),
        _what(letter),
        Part("heading", (phrase("In what form, and where to"),)),
        *_how(letter),
        Part("heading", (phrase("How long, and what it may cost"),)),
        _say(phrase("Please act on this within 30 days after you get it. If you need more time, write to me within "
                    "those 30 days. Tell me why, and the date when I will have it. You may do this once, for 30 days "
                    "at most (45 CFR 164.524(b)(2)).")),
        _fee(letter),
        Part("heading", (phrase("If you do not give me all of it"),)),
        _say(phrase("Please give me the rest. For what you leave out, tell me in writing and in plain words: why, "
                    "whether I can have the decision reviewed and how, and how to complain to you and to the "
                    "U.S. Department of Health and Human Services (45 CFR 164.524(d)).")),
        Part("blanks", (phrase("My signature"), phrase("Date"))),
    )  # fmt: skip


def _what(letter: Letter) -> Part:
    if letter.scope is Scope.SOME:
        return _say(phrase("Please give me these parts of my record: %(parts)s", parts=letter.wanted))
    return _say(
        phrase(
            "Please give me everything in my designated record set: notes, test results, pathology, images "
            "and their reports, treatment plans, medicines, letters from other clinics, and bills."
        )
    )


def _how(letter: Letter) -> tuple[Part, ...]:
    wanted = {
        Form.PDF: phrase("I want an electronic copy as PDF files."),
        Form.DATA: phrase("I want an electronic copy as data files for another system, such as C-CDA or FHIR."),
        Form.DISC: phrase("I want an electronic copy on a disc or USB stick, with the images in DICOM form."),
        Form.PAPER: phrase("I want a copy on paper."),
    }[letter.form]
    if letter.to_somebody_else:
        where = phrase(
            "Please send it to this person or place: %(name)s, %(where)s. I sign this letter to direct you "
            "to do so (45 CFR 164.524(c)(3)(ii)).",
            name=letter.other_name,
            where=letter.other_where,
        )
    elif letter.send_to:
        where = phrase("Please send it to me here: %(place)s", place=letter.send_to)
    else:
        where = phrase("I will pick it up. Please tell me when it is ready.")
    fall_back = phrase(
        "If you cannot easily make it in this form, please call me, so that we can agree on another form "
        "that I can read (45 CFR 164.524(c)(2))."
    )
    return _say(wanted), _say(where), _say(fall_back)


def _fee(letter: Letter) -> Part:
    if letter.to_somebody_else:
        return _say(phrase("Please tell me what it costs before you begin."))
    return _say(
        phrase(
            "You may charge only what copying, supplies and postage cost, and not for looking for my record "
            "(45 CFR 164.524(c)(4)). Please tell me what it costs before you begin."
        )
    )


def _say(words: Phrase) -> Part:
    return Part("paragraph", (words,))


def _clean(words: str) -> str:
    """Without control signs; line breaks stay."""
    lines = words.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n")
    return "\n".join("".join(sign for sign in line if sign.isprintable()).strip() for line in lines).strip()
