"""The shipped texts, and that no element of an authorization can be left out."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from consent.authorization import ELEMENTS, ConsentText, check_can_activate, load_texts, missing_elements
from consent.efforts import SANDBOX_EFFORTS
from vocabulary.errors import Conflict

TEXTS = load_texts()
LANGUAGES = ("en", "es")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("effort", [effort.id for effort in SANDBOX_EFFORTS])
@pytest.mark.parametrize("element", list(ELEMENTS))
def test_remove_each_element(effort: str, language: str, element: str) -> None:
    """HIP-10, HIP-11, HIP-12, HIP-14: with any one element gone the text cannot be activated."""
    text = TEXTS.newest(effort, language)
    assert text is not None
    check_can_activate(text, production=False)
    for gone in ({k: v for k, v in text.parts.items() if k != element}, {**text.parts, element: " "}):
        spoiled = replace(text, parts=gone)
        assert missing_elements(spoiled) == (element,)
        with pytest.raises(Conflict, match="incomplete"):
            check_can_activate(spoiled, production=False)


def test_production_refuses_what_nobody_reviewed() -> None:
    """Decisions (production): a sandbox review mark does not pass."""
    for text in TEXTS.all:
        with pytest.raises(Conflict, match="not-reviewed"):
            check_can_activate(text, production=True)
        check_can_activate(replace(text, review="approved"), production=True)


def test_every_text_is_in_every_language_with_the_same_parts() -> None:
    """LANG-02: en and es say the same things in the same order; a missing language gives None (an interpreter)."""
    for text_id in ("cancerlinq", "living-well", "early-signs"):
        found = [TEXTS.newest(text_id, language) for language in LANGUAGES]
        assert all(found)
        assert len({tuple(text.parts) for text in found if text}) == 1
    assert TEXTS.newest("living-well", "vi") is None
    assert TEXTS.exactly("living-well", 1, "es") == TEXTS.newest("living-well", "es")
    assert TEXTS.exactly("living-well", 9, "es") is None


def test_the_hash_binds_the_words() -> None:
    """P11-01: one changed letter, or another version, gives another hash."""
    text = TEXTS.newest("living-well", "en")
    assert text is not None
    changed = replace(text, parts={**text.parts, "purpose": text.parts["purpose"] + "!"})
    assert len({text.sha256, changed.sha256, replace(text, version=2).sha256}) == 3


def test_invented_efforts_say_so() -> None:
    """Decisions: efforts invented for the sandbox say so where one signs."""
    for text in TEXTS.all:
        if text.authorizes:
            assert re.search("invented|inventado", text.parts["key_information"])


@pytest.mark.parametrize("text", [t for t in TEXTS.all if t.language == "en"], ids=lambda t: t.id)
def test_plain_words(text: ConsentText) -> None:
    """HIP-11 (c)(3), A11Y: Flesch-Kincaid grade of at most 7 by a simple count (goal 6)."""
    body = " ".join(text.parts.values())
    sentences = [s for s in re.split(r"[.:!?]\s", body) if re.search("[a-z]", s)]
    words = re.findall(r"[A-Za-z']+", body)
    syllables = sum(max(1, len(re.findall(r"[aeiouy]+", re.sub(r"e\b", "", word.lower())))) for word in words)
    grade = 0.39 * len(words) / len(sentences) + 11.8 * syllables / len(words) - 15.59
    assert grade <= 7, f"grade {grade:.1f}"
