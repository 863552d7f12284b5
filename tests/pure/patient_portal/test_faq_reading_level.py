"""LANG-01: patient text reads at sixth grade or below; the measures are ours and written out here."""

from __future__ import annotations

import re
import unicodedata

import pytest

from patient_portal.words.faq import Answer, Names, load

UNAVOIDABLE = (
    "American Society of Clinical Oncology, Inc.",
    "electronic health records",
    "health information platform",
    "CancerLinQ Discovery",
    "CancerLinQ.org",
    "CancerLinQ LLC",
    "CancerLinQ",
    "Concerto HealthAI",
    "de-identified",
    "life science companies",
    "academic researchers",
    "ASCO",
    "EHRs",
    "EHR",
    "HIPAA",
    "Tempus",
    "Discovery",
    "(888) 282-2552",
)
"""Names and terms the facts cannot do without; each counts as one short word ("it")."""


def syllables(word: str) -> int:
    """Vowel groups, less a silent final e or ed; at least one."""
    word = re.sub(r"[^a-z]", "", word.lower())
    bare = re.sub(r"(?:[^laeiouy]es|[^aeioutd]ed|[^laeiouy]e)$", lambda m: m.group()[0], word)
    groups = re.findall(r"[aeiouy]+", bare)
    hiatus = len(re.findall(r"i[ao](?!us|n)|eo(?!p)|ua[lt]|(?<=[a-z]{2})ea$", bare))
    return max(1, len(groups) + hiatus)


def flesch_kincaid(text: str) -> float:
    """US school grade: 0.39 words per sentence + 11.8 syllables per word - 15.59 (Kincaid et al., 1975)."""
    for term in UNAVOIDABLE:
        text = text.replace(term, "it")
    sentences = [part for part in re.split(r"[.!?:](?:\s|$)", text) if re.search(r"\w", part)]
    words = re.findall(r"[A-Za-z][A-Za-z'’-]*|\d+", text)
    return 0.39 * len(words) / len(sentences) + 11.8 * sum(map(syllables, words)) / len(words) - 15.59


def spanish_syllables(word: str) -> int:
    """Vowel groups, with two strong vowels or an accented weak one beside a vowel counted apart."""
    word = unicodedata.normalize("NFC", word.lower())
    word = re.sub(r"(?<=[gq])u(?=[eiéí])", "", word)
    hiatus = len(re.findall(r"(?=[aeoáéó][aeoáéó])|(?=[íú][aeoáéó])|(?=[aeoáéó][íú])", word))
    return max(1, len(re.findall(r"[aeiouáéíóúü]+", word)) + hiatus)


def fernandez_huerta(text: str) -> float:
    """Ease of reading in Spanish, 0 to 100: 206.84 - 60 syllables per word - 1.02 words per sentence (1959)."""
    for term in (*UNAVOIDABLE, "Sociedad Americana de Oncología Clínica", "(it)", "expedientes médicos electrónicos"):
        text = text.replace(term, "eso")
    sentences = [part for part in re.split(r"[.!?:](?:\s|$)", text) if re.search(r"\w", part)]
    words = re.findall(r"[^\W\d_]+|\d+", text)
    return 206.84 - 60 * sum(map(spanish_syllables, words)) / len(words) - 1.02 * len(words) / len(sentences)


def _text(answer: Answer) -> str:
    return " ".join(text if text.endswith((".", "?", ":")) else text + "." for text in answer.texts[1:])


@pytest.mark.parametrize("answer", load("en", Names()).answers, ids=lambda answer: answer.id)
def test_each_english_answer_reads_at_sixth_grade_or_below(answer: Answer) -> None:
    """LANG-01: Flesch-Kincaid of every English answer is at most 6.0."""
    assert flesch_kincaid(_text(answer)) <= 6.0


@pytest.mark.parametrize("answer", load("es", Names()).answers, ids=lambda answer: answer.id)
def test_each_spanish_answer_is_easy_to_read(answer: Answer) -> None:
    """LANG-01: Fernández-Huerta of every Spanish answer is at least 65 ("normal" begins at 60, "fairly easy" at 70)."""
    assert fernandez_huerta(_text(answer)) >= 65


@pytest.mark.parametrize(
    ("word", "count"),
    [("cat", 1), ("treatment", 2), ("make", 1), ("people", 2), ("removed", 2), ("computer", 3), ("table", 2),
     ("patient", 2), ("idea", 3), ("needed", 2), ("history", 3), ("companies", 3), ("technology", 4)],
)  # fmt: skip
def test_syllables(word: str, count: int) -> None:
    """LANG-01: the count behind the measure is right for everyday words."""
    assert syllables(word) == count


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("sol", 1),
        ("casa", 2),
        ("médico", 3),
        ("clínica", 3),
        ("día", 2),
        ("quien", 1),
        ("tecnología", 5),
        ("leer", 2),
        ("guiar", 1),
    ],
)
def test_spanish_syllables(word: str, count: int) -> None:
    """LANG-01: the count behind the Spanish measure is right for everyday words."""
    assert spanish_syllables(word) == count


def test_the_measure_can_fail() -> None:
    """LANG-01: the leaflet's own kind of sentence is well above sixth grade."""
    hard = "Participating organizations continuously aggregate longitudinal information facilitating improvements."
    assert flesch_kincaid(hard) > 12
    assert fernandez_huerta("Las organizaciones participantes facilitan continuamente la interoperabilidad.") < 30
