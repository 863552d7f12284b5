"""The letter: what it must say for the law to bind the clinic, and what a form must give before it is written."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_bridge.access.letter import Form, Letter, Scope, as_kept, from_kept, parts_of, read_letter
from vocabulary.phrase import Phrase

WHOLE = {"name": "Carmen Ruiz", "born": "3/4/1961", "clinic": "Hill Clinic", "scope": "all", "form": "pdf", "who": "me"}


def said(letter: Letter) -> str:
    parts = parts_of(letter)
    rows = [str(words) for part in parts for row in part.rows for words in row]
    return "\n".join([*rows, *(str(words) for part in parts for words in part.words)])


def written(**more: str) -> Letter:
    letter, wrong = read_letter(WHOLE | more)
    assert wrong == {}
    assert letter is not None
    return letter


def test_the_letter_names_the_law_and_its_times() -> None:
    """HIP-01, HIP-02, HIP-04: 30 days and one extension in writing, the form or another by agreement, only the fees of
    (c)(4), and a denial in writing with the ways to a review and to complain."""
    letter = said(written())
    for words in ("Carmen Ruiz", "Hill Clinic", "within 30 days", "You may do this once", "PDF files", "(b)(2)",
                  "agree on another form", "(c)(2)", "copying, supplies and postage", "(c)(4)",
                  "designated record set", "164.524(d)", "I will pick it up"):  # fmt: skip
        assert words in letter, words


def test_a_copy_for_somebody_else() -> None:
    """HIP-03: it names who and where, is signed, and is electronic; the fee cap is not claimed (Ciox v. Azar)."""
    letter = said(written(who="other", other_name="Dr. Kim", other_where="kim@example.org"))
    for words in ("Dr. Kim, kim@example.org", "(c)(3)(ii)", "My signature"):
        assert words in letter, words
    assert "(c)(4)" not in letter
    for lacking in ({"other_name": ""}, {"other_where": " "}, {"form": "paper"}):
        letter_or_none, wrong = read_letter(
            WHOLE | {"who": "other", "other_name": "Dr. Kim", "other_where": "x"} | lacking
        )
        assert (letter_or_none, list(wrong)) == (None, list(lacking))
    assert not written(who="me", other_name="Dr. Kim", other_where="x").to_somebody_else


@pytest.mark.parametrize(
    ("sent", "field"),
    [({"name": " \x00"}, "name"), ({"born": ""}, "born"), ({"clinic": ""}, "clinic"), ({"scope": "x"}, "scope"),
     ({"scope": "some"}, "wanted"), ({"form": ""}, "form"), ({"name": "a" * 201}, "name")],
)  # fmt: skip
def test_what_lacks_is_named_by_its_field(sent: dict[str, str], field: str) -> None:
    """HIP-02, SEC-10: nothing is written until it can be understood."""
    letter, wrong = read_letter(WHOLE | sent)
    assert letter is None
    assert list(wrong) == [field]


def test_what_was_typed_stays_what_was_typed() -> None:
    """SEC-10: percent signs and control signs are neither lost words nor commands."""
    letter = written(scope="some", wanted="100%(s) of\x1b[2J it\r\nand images", name="%s %(name)s")
    assert letter.wanted == "100%(s) of[2J it\nand images"
    assert "100%(s) of[2J it\nand images" in said(letter)
    kept: dict[str, Any] = as_kept(letter)
    assert from_kept(kept) == letter
    assert (letter.scope, letter.form) == (Scope.SOME, Form.PDF)
    assert all(isinstance(label, Phrase) for part in parts_of(letter) for label, _ in part.rows)
