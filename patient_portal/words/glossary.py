"""Words of a cancer record, explained where they stand: `content/glossary.toml`, in English, Spanish and Arabic."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "content/glossary.toml"
FALLBACK = "en"


@dataclass(frozen=True)
class Term:
    """`pattern` finds the hospital's ways of writing it, which stand in `folded` too: to look for these is quicker, and
    few terms are in a text. `means` by language code."""

    name: str
    pattern: re.Pattern[str]
    also: tuple[str, ...]
    folded: tuple[str, ...]
    means: dict[str, str]

    def meaning(self, language: str) -> tuple[str, str]:
        """(the words, their language): English where there are none in the reader's."""
        code = language.partition("-")[0]
        return (self.means[code], code) if code in self.means else (self.means[FALLBACK], FALLBACK)


@cache
def glossary() -> dict[str, Term]:
    """All terms by name."""
    found = tomllib.loads(SOURCE.read_text(encoding="utf-8"))
    return {name: _term(name, value) for name, value in found.items()}


def _term(name: str, value: dict[str, object]) -> Term:
    also = tuple(str(one) for one in value["also"]) if isinstance(value["also"], list) else ()
    words = "|".join(re.escape(one) for one in also)
    means = {code: str(text) for code, text in value.items() if code != "also"}
    return Term(
        name, re.compile(rf"\b(?:{words})\b", re.IGNORECASE), also, tuple(one.casefold() for one in also), means
    )


def terms_in(texts: Iterable[str], most: int = 6) -> list[tuple[str, Term]]:
    """The terms that stand in the texts, each once, with the word as it is written there."""
    whole = " · ".join(texts)[:20_000]
    folded = whole.casefold()
    near = (term for term in glossary().values() if any(word in folded for word in term.folded))
    found = [(match, term) for term in near if (match := term.pattern.search(whole)) is not None]
    return [(match.group(), term) for match, term in sorted(found, key=lambda each: each[0].start())[:most]]
