"""The search of the questions: pure, forgiving of accents and case, and it marks what it found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patient_portal.words.faq import Names, highlighted, load, search, wanted_words

ENGLISH = load("en", Names())
SPANISH = load("es", Names())


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("opt out", "opt-out"),
        ("how do I opt out?", "opt-out"),
        ("REMOVE my data", "opt-out"),
        ("tempus", "who-sees-it"),
        ("who sees my data", "who-sees-it"),
        ("pay", "cost"),
        ("HIPAA", "how-it-is-protected"),
        ("asco", "what-is-cancerlinq"),
        ("discovery", "new-knowledge"),
        ("date of birth", "what-about-me"),
    ],
)
def test_everyday_queries_find_their_answer_first(query: str, first: str) -> None:
    """X-03: a person's own words lead to the answer."""
    assert search(ENGLISH, query)[0].id == first


@pytest.mark.parametrize(
    ("query", "first"),
    [("¿Cuánto cuesta? pagar", "cost"), ("médico electrónico", "where-data-comes-from"), ("MEDICO ELECTRONICO",
     "where-data-comes-from"), ("borrar", "opt-out"), ("no quiero", "opt-out"), ("HIPAA", "how-it-is-protected")],
)  # fmt: skip
def test_spanish_is_found_with_and_without_accents(query: str, first: str) -> None:
    """LANG-03: accents and case do not matter."""
    assert search(SPANISH, query)[0].id == first


@pytest.mark.parametrize("query", ["", "   ", "?!", "zzzz", "xylophone quasar", "'; drop table--", "%00"])
def test_nothing_is_found_for_nothing(query: str) -> None:
    """X-03: an empty or foreign query finds nothing and breaks nothing."""
    assert search(ENGLISH, query) == ()


def test_small_words_alone_still_search() -> None:
    """X-03: a query of nothing but small words is taken as it is."""
    assert wanted_words("who is it", ENGLISH.ignore) == ("who", "is", "it")


def test_highlights() -> None:
    """X-03: the found words are marked, whole, with their accents."""
    pieces = highlighted("¿Quién paga el médico? Médicos.", ("medico",))
    assert [piece.text for piece in pieces if piece.found] == ["médico", "Médicos"]


@given(st.text(max_size=60), st.lists(st.text(max_size=5), max_size=4))
def test_highlighting_never_changes_a_text(text: str, words: list[str]) -> None:
    """X-03: the pieces joined are the text, whatever is searched for."""
    assert "".join(piece.text for piece in highlighted(text, tuple(word for word in words if word))) == text


@given(st.text(max_size=300))
def test_any_query_is_answered(query: str) -> None:
    """SEC-10: no query breaks the search; every answer found is one of the eleven."""
    assert set(search(ENGLISH, query)) <= set(ENGLISH.answers)


def test_an_arabic_word_is_found_with_what_is_written_together_with_it() -> None:
    """LANG-03: "data" and "the data" find the same answers, and both are marked where they stand."""
    arabic = load("ar", Names())
    assert search(arabic, "بيانات") == search(arabic, "البيانات") != ()
    pieces = highlighted("من أين تأتي البيانات؟", wanted_words("بيانات", arabic.ignore))
    assert [piece.text for piece in pieces if piece.found] == ["البيانات"]
