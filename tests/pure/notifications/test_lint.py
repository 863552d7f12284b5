"""Every word we could ever send, read for what must not be on a lock screen; and what each text is billed as."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications import mails, texts
from notifications.lint import findings, measured
from notifications.neutral_words import names_illness, tells_something
from notifications.texts import KINDS, LANGUAGES, Programme, is_gsm7, segments
from notifications.topics import TOPICS

USUAL = Programme()
SENDER = "no-reply@portal.example.org"


def test_nothing_we_send_tells_anything() -> None:
    """SMS-08, abuse 11: texts, subjects, mails in text and HTML, name, link and domain, in every language."""
    assert findings(USUAL, SENDER) == []


@pytest.mark.parametrize(
    ("programme", "sender", "where"),
    [
        (replace(USUAL, name="Cancer Portal"), SENDER, "name"),
        (replace(USUAL, link="https://mycancer.example.org"), SENDER, "link"),
        (replace(USUAL, link="https://portal.example.org/p?id=7"), SENDER, "link"),
        (USUAL, "news@oncology.example.org", "mail sender"),
        (USUAL, "news@localhost", "mail sender"),
        (replace(USUAL, contact="1-800-CANCER1"), SENDER, "help number"),
        (replace(USUAL, name="Registro de Salud y Apoyo de la Región"), SENDER, "text"),
    ],
)
def test_an_installation_that_would_tell_is_named(programme: Programme, sender: str, where: str) -> None:
    """SMS-08, abuse 11: sender name, domain and address are looked at as the words are; a long name costs segments."""
    assert any(found.where.startswith(where) for found in findings(programme, sender))


PLANTED = (
    "Your cancer record", "Dr. Smith, your doctor", "You opted out", "su quimioterapia", "Your lab result",
    "la investigación", "See https://bit.ly/x", "Your donation", "hospital", "estudio",
)  # fmt: skip


@pytest.mark.parametrize(("words", "language"), list(product(PLANTED, LANGUAGES)))
def test_the_linter_finds_what_is_planted(words: str, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SMS-08: put into a text, a subject or a paragraph in either language, each is found."""
    monkeypatch.setitem(texts._TEMPLATES[language], "update", f"{{program}}: {words}. {{link}}")
    assert any(found.where == f"text update ({language})" for found in findings(USUAL, SENDER))
    monkeypatch.undo()
    for planted in ((words, "You have an update."), ("You have an update", f"{words}.")):
        monkeypatch.setitem(mails._MAILS[language], "update", planted)
        assert any(found.where == f"mail update ({language})" for found in findings(USUAL, SENDER))


@pytest.mark.parametrize(
    ("kind", "words", "problem"),
    [
        ("late", "Something takes longer. Sign in: {link}", "sender"),
        ("late", "{program}: Something takes longer than it should.", "no way to reach us"),
        ("news", "{program}: There is news. {link} " + "x" * 160, "segments"),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_text_lacks_is_found(
    kind: texts.Kind, words: str, problem: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SMS-07: a text without its sender, without a way to reach us, or of more than one segment, in each language."""
    monkeypatch.setitem(texts._TEMPLATES[language], kind, words)
    [found] = findings(USUAL, SENDER)
    assert found.where == f"text {kind} ({language})"
    assert problem in found.problem


def test_a_code_in_a_subject_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """SMS-13: a subject is shown on a locked screen."""
    monkeypatch.setitem(mails._MAILS["en"], "code", ("Code {code}", "{code}"))
    assert [found.where for found in findings(USUAL, SENDER)] == ["mail code (en)"]


def test_every_text_is_measured() -> None:
    """SMS-07: each kind in each language, one segment of GSM-7."""
    found = list(measured(USUAL))
    assert {(one.kind, one.language) for one in found} == set(product(KINDS, LANGUAGES))
    assert {(one.encoding, one.segments) for one in found} == {("GSM-7", 1)}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1), ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("€" * 80, 1), ("€" * 81, 2),
        ("€" * 153, 3),  # 76 of two places in 153: one place of each segment stays empty
        ("á" * 70, 1), ("á" * 71, 2), ("á" * 134, 2), ("á" * 135, 3), ("😀" * 35, 1), ("😀" * 36, 2),
        ("😀" * 67, 3),  # 33 pairs in 67
        ("[" * 80, 1), ("ñ" * 160, 1),
    ],
)  # fmt: skip
def test_segments(text: str, count: int) -> None:
    """SMS-07, 3GPP TS 23.038 and 23.040: 160 or 153 septets, 70 or 67 UTF-16 units; no character is parted."""
    assert segments(text) == count


@given(st.text(max_size=400))
def test_segments_hold_the_text(text: str) -> None:
    """SMS-07: never fewer than the characters need, never more than if one place of each stayed empty."""
    units = len(text.encode("utf-16-be", "surrogatepass")) // 2
    if not text.isascii():
        assert segments(text) >= 1
    elif is_gsm7(text):
        assert segments(text) == max(1, -(-units // 153) if units > 160 else 1)


def test_words_that_tell() -> None:
    """Abuse 11: the two lists find their own, and let plain words pass."""
    assert names_illness("Mi diario del cáncer")
    assert tells_something("Su médico y la donación")
    assert not tells_something("There is news for you. Sign in to read it.")
    assert all(not names_illness(str(topic.name) + str(topic.about)) for topic in TOPICS.values())
