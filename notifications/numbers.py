"""Telephone numbers: one written form (E.164), and only numbers that can take a text in a country we text to."""

from __future__ import annotations

from dataclasses import dataclass

import phonenumbers
from phonenumbers import PhoneNumberType

from vocabulary.errors import Invalid

PREFIX_DIGITS = 8
"""`+1617555`: the block of numbers that a pumping fraud would share."""
DEFAULT_COUNTRIES = frozenset({"US", "PR", "VI", "GU", "AS", "MP"})
_TEXTABLE = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})


@dataclass(frozen=True)
class PhoneNumber:
    """A number in E.164 (`+16175550150`) and the country it belongs to (ISO 3166-1 alpha-2)."""

    e164: str
    country: str

    @property
    def last_two(self) -> str:
        """All that a log or a page may show of it (requirements SMS-13)."""
        return self.e164[-2:]

    def __repr__(self) -> str:
        return f"PhoneNumber(…{self.last_two})"


def read_number(
    text: str, *, countries: frozenset[str] | None = DEFAULT_COUNTRIES, home: str = "US", landlines: bool = False
) -> PhoneNumber:
    """Read what a person typed; `home` is the country of numbers without a country code, `countries` None means any.

    Invalid with reason `number-unreadable`, `number-country` (not one we text to: the guard against premium and
    pumping numbers, threats.md abuse 14) or `number-kind` (cannot take a text; `landlines` lets them pass).
    """
    try:
        parsed = phonenumbers.parse(text[:40], home)
    except phonenumbers.NumberParseException:
        raise Invalid("number-unreadable") from None
    if not phonenumbers.is_valid_number(parsed):
        raise Invalid("number-unreadable")
    country = phonenumbers.region_code_for_number(parsed) or ""
    if countries is not None and country not in countries:
        raise Invalid("number-country")
    if not landlines and phonenumbers.number_type(parsed) not in _TEXTABLE:
        raise Invalid("number-kind")
    return PhoneNumber(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164), country)


def is_country(code: str) -> bool:
    """Is this a country that has telephone numbers (ISO 3166-1 alpha-2)?"""
    return code in phonenumbers.SUPPORTED_REGIONS
