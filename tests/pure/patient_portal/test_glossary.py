"""The glossary: every word in English, Spanish and Arabic, short and plain, and found where a hospital writes it."""

from __future__ import annotations

import re

from patient_portal.words.glossary import glossary, terms_in

LONGEST_SENTENCE = 22


def test_every_word_is_explained_in_each_language_in_short_sentences() -> None:
    """LANG-01: plain words at US grade 6, in each language; others read the English."""
    for term in glossary().values():
        assert term.means.keys() == {"en", "es", "ar"}, term.name
        for words in term.means.values():
            for sentence in re.split(r"(?<=[.?!])\s", words):
                assert len(sentence.split()) <= LONGEST_SENTENCE, sentence
        assert term.meaning("es-US")[1] == "es"
        assert term.meaning("vi")[1] == "en"


def test_words_are_found_as_they_are_written() -> None:
    """MC-02: whole words only, each once, in the order in which they stand."""
    found = terms_in(["Excision of sentinel Lymph Node", "Malignant neoplasm", "malignant", "stagecoach"])
    assert [(word, term.name) for word, term in found] == [("sentinel Lymph", "lymph-node"), ("Malignant", "malignant")]
