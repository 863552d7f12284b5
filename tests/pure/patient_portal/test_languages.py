"""LANG-03: which language a request gets, and in which direction it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patient_portal.edge.languages import accepted, choose, direction_of, offered
from patient_portal.papers.request_letter import languages_of_letter

BOTH = offered()
WITH_ARABIC = offered(("en", "es", "ar"))


@pytest.mark.parametrize(
    ("asked", "kept", "accept", "code"),
    [
        (None, None, None, "en"),
        ("es", None, None, "es"),
        ("es", "en", "en-US", "es"),
        ("es-MX", None, None, "es"),
        ("ES", None, None, "es"),
        ("xx", "es", None, "es"),
        ("", "", "", "en"),
        (None, "es", "en", "es"),
        (None, None, "es-419,es;q=0.9,en;q=0.8", "es"),
        (None, None, "en;q=0.4, es;q=0.9", "es"),
        (None, None, "vi, zh;q=0.9", "en"),
        (None, None, "es;q=0, en", "en"),
        (None, None, "es;q=2", "en"),
        (None, None, "*", "en"),
        ("ar", None, None, "en"),
        ("../../etc", "<script>", "\x00;;;,,,q=", "en"),
    ],
)
def test_choice(asked: str | None, kept: str | None, accept: str | None, code: str) -> None:
    """LANG-03: asked for, then kept, then the browser's wish, then English."""
    assert choose(BOTH, asked=asked, kept=kept, accept=accept).code == code


def test_arabic_is_offered_only_when_the_settings_list_it() -> None:
    """LANG-02: an unreviewed catalog is not offered by default, and says that it is unreviewed."""
    assert [language.code for language in BOTH] == ["en", "es"]
    arabic = choose(WITH_ARABIC, asked="ar")
    assert (arabic.code, arabic.direction, arabic.reviewed) == ("ar", "rtl", False)


def test_english_is_always_offered_and_an_unknown_language_is_refused() -> None:
    """LANG-03: English is the source; a language without a catalog is a mistake in the settings."""
    assert [language.code for language in offered(("es",))] == ["en", "es"]
    with pytest.raises(ValueError, match="tlh"):
        offered(("en", "tlh"))


@pytest.mark.parametrize(
    ("code", "direction"), [("en", "ltr"), ("es", "ltr"), ("ar", "rtl"), ("fa", "rtl"), ("ur", "rtl"), ("he", "rtl"),
                            ("ar-EG", "rtl"), ("AR", "rtl"), ("zh-Hans", "ltr")]
)  # fmt: skip
def test_direction(code: str, direction: str) -> None:
    """LANG-03: ar, fa, ur and he are written from right to left."""
    assert direction_of(code) == direction


def test_accepted_is_ordered_by_wish() -> None:
    """LANG-03: RFC 9110 weights, ties by place."""
    assert accepted("en;q=0.5, es, fr;q=0.5, de;q=0") == ["es", "en", "fr"]


def test_a_letter_is_written_for_the_clinic_and_for_the_person() -> None:
    """HIP-02: English for the clinic, and the person's own language where its catalog says every sentence."""
    assert [languages_of_letter(code) for code in ("en", "es", "ar", "vi")] == [
        ("en",), ("en", "es"), ("en", "ar"), ("en",)
    ]  # fmt: skip


@given(st.text(), st.text(), st.text())
def test_any_input_gives_an_offered_language(asked: str, kept: str, accept: str) -> None:
    """SEC-10: nothing a client sends breaks the choice."""
    assert choose(BOTH, asked=asked, kept=kept, accept=accept) in BOTH
