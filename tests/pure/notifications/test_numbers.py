"""Which numbers are taken, and how they are written."""

from __future__ import annotations

import pytest

from notifications.numbers import read_number
from vocabulary.errors import Invalid


@pytest.mark.parametrize("text", ["+16175550150", "617-555-0150", "(617) 555 0150", "1 617 555 0150", " 617.555.0150 "])
def test_one_written_form(text: str) -> None:
    """SMS-12: however a number is typed, it becomes one E.164 number."""
    assert read_number(text).e164 == "+16175550150"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "number-unreadable"),
        ("hello", "number-unreadable"),
        ("911", "number-unreadable"),
        ("+1617555015", "number-unreadable"),
        ("+44 7911 123456", "number-country"),
        ("+242 06 123 4567", "number-country"),
        ("+1 876 555 0123", "number-country"),
        ("1-900-555-0123", "number-kind"),
        ("800-555-0199", "number-kind"),
        ("6" * 5000, "number-unreadable"),
    ],
)
def test_numbers_we_do_not_text(text: str, reason: str) -> None:
    """SMS-11: premium, foreign and unreadable numbers are refused before anything is sent (abuse 14)."""
    with pytest.raises(Invalid) as refused:
        read_number(text)
    assert refused.value.reason == reason


def test_number_does_not_print_itself() -> None:
    """SMS-13: only the last two digits may be shown."""
    assert "617" not in repr(read_number("617-555-0150"))
    assert read_number("617-555-0150").last_two == "50"


def test_other_countries_by_configuration() -> None:
    """SMS-11: the countries are a setting."""
    assert read_number("+44 7400 123456", countries=frozenset({"GB"})).country == "GB"
