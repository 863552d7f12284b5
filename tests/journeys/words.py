"""Whether words of a page are still English: by the catalog's own sentences, and by words only English has."""

from __future__ import annotations

import re
from functools import cache

from babel.messages.pofile import read_po

from tests.support.browser import TRANSLATIONS

# Short words that are frequent in English and mean nothing in Spanish.
ENGLISH = re.compile(
    r"\b(the|and|you|your|we|our|is|are|was|were|this|that|these|those|with|from|what|which|who|when|where|how|not|have"
    r"|has|can|will|of|to|for|it|its|they|their|them|if|by|at|does|did)\b"
)


def not_translated(texts: list[str], language: str) -> list[str]:
    """Those of `texts` that are an English sentence of the catalog, or read like English."""
    return [text for text in texts if _is_message(text, language) or _reads_english(text)]


def _is_message(text: str, language: str) -> bool:
    told, english = _sentences(language)
    if text in told:
        return False
    return text in english or any(pattern.fullmatch(text) for pattern in _patterns(language))


def _reads_english(text: str) -> bool:
    return len(set(ENGLISH.findall(text.lower()))) >= 2


@cache
def _sentences(language: str) -> tuple[frozenset[str], frozenset[str]]:
    """What the catalog says in `language`, and the English sentences that are said differently there."""
    told, english = set(), set()
    with (TRANSLATIONS / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        for message in read_po(file):
            pairs = zip(_forms(message.id), _forms(message.string), strict=False)
            for source, translation in pairs:
                told.add(translation)
                if source and translation != source:
                    english.add(source)
    return frozenset(told), frozenset(english)


@cache
def _patterns(language: str) -> tuple[re.Pattern[str], ...]:
    """English sentences with places to fill in, as patterns; only those with words enough to know them by."""
    holes = (each for each in _sentences(language)[1] if "%(" in each)
    parts = ([re.escape(part) for part in re.split(r"%\(\w+\)[sd]", each)] for each in holes)
    return tuple(re.compile(".+".join(pieces)) for pieces in parts if len("".join(pieces)) > 12)


def _forms(text: str | tuple[str, ...] | list[str] | None) -> list[str]:
    return [text] if isinstance(text, str) else list(text or [])
