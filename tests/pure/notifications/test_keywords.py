"""What a text means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.keywords import STOP_WORDS, meaning_of, understand

STOP = [
    "STOP", "stop", " Stop. ", "S T O P", "STOPALL", "stop all", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE",
    "OPTOUT", "OPT OUT", "opt-out", "Please stop", "stop texting me", "STOP!!!", "please stop texting me, thanks",
    "no more texts please", "Don't text me", "don’t contact me again", "leave me alone", "take me off this list",
    "PARAR", "Parar por favor", "ALTO", "alto!", "BASTA", "no mas", "No más", "¡NO MÁS!", "no mas mensajes",
    "ya no quiero mensajes", "no me manden mensajes", "dejen de escribirme", "quiero darme de baja", "ＳＴＯＰ",
    "Quit texting me", "please cancel these texts", "I want to end all messages", "I revoke my consent", "can you quit "
    "bothering me", "I don’t want these texts", "no texts please", "Cancelen los mensajes", "quiero que terminen los "
    "mensajes por favor",
    "Stop Stop", "just stop", "you have the wrong number", "No more please", "Enough!", "don't send me anything",
    "never text me again", "I asked you to stop last week, again and again", "this is the wrong person",
    "not interested", "Don't call or text me", "remove my number please", "no me mandes más", "توقف", "أوقف", "إلغاء",
    "إيقاف", "لا ترسلوا لي رسائل", "هذا رقم خطأ",
]  # fmt: skip
NOT_STOP = [
    ("START", "start"), ("Start!", "start"), ("unstop", "start"), ("UNSTOP please", "start"), ("yes", "start"),
    ("Sí", "start"), ("HELP", "help"), ("info", "help"), ("Ayuda", "help"), ("¿AYUDA?", "help"),
    ("please don't stop", "other"), ("do not stop", "other"), ("no paren", "other"), ("thank you", "other"),
    ("when is my appointment", "other"), ("", "other"), ("👍", "other"), ("yes but call me first", "other"),
    ("cancel my visit on Monday", "other"), ("the end of your message is missing", "other"),
    ("I want to know who texts me", "other"), ("don't cancel my texts", "other"),
    ("restart my phone", "other"), ("weekend", "other"), ("the end of the month is fine", "other"),
    ("how do I start texts from you again", "other"), ("please text me again", "other"), ("لا تتوقف", "other"),
    ("please call or text me", "other"), ("no more pain today, thank you", "other"), ("شكرا", "other"),
]  # fmt: skip


@pytest.mark.parametrize("body", STOP)
def test_stop_in_any_reasonable_manner(body: str) -> None:
    """SMS-03: every listed word and common phrases in English, Spanish and Arabic stop all texts."""
    assert meaning_of(body) == "stop"


@pytest.mark.parametrize(("body", "meaning"), NOT_STOP)
def test_other_meanings(body: str, meaning: str) -> None:
    """SMS-05: START and HELP by their exact words; anything else is left alone."""
    assert meaning_of(body) == meaning


@given(
    word=st.sampled_from(sorted(STOP_WORDS)),
    before=st.text(' \t\n.,!?-*_()¡¿"', max_size=4),
    after=st.text(' \t\n.,!?-*_()¡¿"', max_size=4),
    upper=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_case_space_and_punctuation_make_no_difference(word: str, before: str, after: str, upper: list[bool]) -> None:
    """SMS-03: case-, space- and punctuation-insensitive."""
    mixed = "".join(letter.upper() if up else letter for letter, up in zip(word, upper, strict=False))
    assert meaning_of(before + mixed + word[len(mixed) :] + after) == "stop"


@given(st.text(max_size=200))
def test_any_text_has_a_meaning(body: str) -> None:
    """SMS-03: no text, however strange, is an error."""
    assert meaning_of(body) in ("stop", "start", "help", "other")


@pytest.mark.parametrize(
    ("opt_out_type", "meaning", "replied"),
    [
        ("STOP", "stop", True),
        ("START", "start", True),
        ("HELP", "help", True),
        (None, "other", False),
        ("?", "other", False),
    ],
)
def test_network_that_has_acted_is_believed(opt_out_type: str | None, meaning: str, replied: bool) -> None:
    """SMS-05: with OptOutType the network has replied; we do not reply a second time."""
    understood = understand("hello", opt_out_type)
    assert (understood.meaning, understood.network_replied) == (meaning, replied)
