"""Which languages are offered, and which one a request gets: pure rules, no session and no request object.

Sources: LANG-02 (an unreviewed translation cannot show a signing page), LANG-03 (lang, direction);
RFC 9110 §12.5.4 (Accept-Language), RFC 4647 §3.4 (lookup).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur", "ps", "yi"})
SOURCE = "en"


@dataclass(frozen=True)
class Language:
    """One language of the pages.

    `code` is a BCP 47 tag, `own_name` the name in the language itself. `reviewed` is true when a qualified person
    has read the critical texts in it; only then may an authorization be signed in it (45 CFR 92.201(c)(3)).
    """

    code: str
    own_name: str
    reviewed: bool = True

    @property
    def direction(self) -> str:
        """`rtl` for scripts written from right to left, else `ltr`."""
        return direction_of(self.code)


KNOWN = (
    Language("en", "English"),
    Language("es", "Español"),
    Language("ar", "العربية", reviewed=False),
)
SHIPPED = ("en", "es")
"""Offered unless the settings list others. No native reader has looked at the Arabic yet: whoever runs the portal has
that done before offering it."""
COMPLETE = tuple(language.code for language in KNOWN)
"""The languages whose catalog says every sentence; letters are written in them."""

_RANGE = re.compile(r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?\s*")
_MOST_RANGES = 20


def direction_of(code: str) -> str:
    """`rtl` or `ltr` for a BCP 47 tag."""
    return "rtl" if code.lower().split("-")[0] in RIGHT_TO_LEFT else "ltr"


def offered(codes: Iterable[str] = SHIPPED) -> tuple[Language, ...]:
    """The languages listed in the settings, in that order; English is always among them, for it is the source.

    Raises ValueError for a code that has no catalog.
    """
    known = {language.code: language for language in KNOWN}
    wanted = list(dict.fromkeys(codes))
    unknown = [code for code in wanted if code not in known]
    if unknown:
        raise ValueError(f"no translation for {', '.join(unknown)}; there is {', '.join(sorted(known))}")
    if SOURCE not in wanted:
        wanted.insert(0, SOURCE)
    return tuple(known[code] for code in wanted)


def choose(
    languages: Sequence[Language], *, asked: str | None = None, kept: str | None = None, accept: str | None = None
) -> Language:
    """The language of one request.

    `asked` is `?lang=`, `kept` what the session or cookie remembers, `accept` the Accept-Language header; the first
    that names an offered language wins, else English. Anything unreadable counts as not said.
    """
    for wish in (asked, kept):
        found = _offered_for(wish, languages) if wish else None
        if found is not None:
            return found
    for wish in accepted(accept or ""):
        found = _offered_for(wish, languages)
        if found is not None:
            return found
    return next((language for language in languages if language.code == SOURCE), languages[0])


def accepted(header: str) -> list[str]:
    """The language ranges of an Accept-Language header, the most wanted first; those with q=0 and `*` are left out."""
    ranges: list[tuple[float, int, str]] = []
    for place, part in enumerate(header.split(",", _MOST_RANGES)[:_MOST_RANGES]):
        match = _RANGE.fullmatch(part)
        if match is None:
            continue
        quality = float(match.group(2) or "1")
        if quality > 0:
            ranges.append((-quality, place, match.group(1)))
    return [tag for _, _, tag in sorted(ranges)]


def _offered_for(wish: str, languages: Sequence[Language]) -> Language | None:
    """RFC 4647 lookup: `es-MX` finds `es`; a longer offered tag is not found by a shorter wish."""
    parts = wish.strip().lower().split("-")
    while parts and parts[0]:
        tag = "-".join(parts)
        for language in languages:
            if language.code.lower() == tag:
                return language
        parts.pop()
    return None
