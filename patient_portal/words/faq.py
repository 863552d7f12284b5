"""The frequently asked questions: read from `content/faq.<language>.toml`, and searched by a pure rule.

Every answer keeps its source and date, since nothing undated may be stated as current (X-03). Names, phone numbers
and addresses that can change are `Names`, filled in when the text is read.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from vocabulary.plain_text import folded

CONTENT = Path(__file__).resolve().parent.parent / "content"
_MOST_WORDS = 8
_LONGEST_QUERY = 200
_JOINED = r"\b(?:[\u0648\u0641\u0628\u0643\u0644]?(?:\u0627\u0644|\u0644)?)"
"""Where a word begins: in Arabic "and", "in", "for" and "the" are written together with it."""
_THE = "\u0627\u0644"


@dataclass(frozen=True)
class Names:
    """What may change without the text changing: whom to call, where to look, who owns CancerLinQ now."""

    phone: str = "(888) 282-2552"
    site: str = "CancerLinQ.org"
    site_url: str = "https://www.cancerlinq.org"
    owner: str = "ConcertAI"
    brand: str = "My Cancer Record"


@dataclass(frozen=True)
class Answer:
    """One question and its answer: paragraphs, then points, each a plain sentence, then what
    this portal adds of its own (`ours`), which is not from the source.

    `links` are named places (`opt-out`, `opt-out-answer`, `leaflet`, `without-account`, `activity`) that the page
    turns into addresses; `also` are words to find it by that are not shown.
    """

    id: str
    question: str
    paragraphs: tuple[str, ...]
    points: tuple[str, ...]
    ours: tuple[str, ...]
    links: tuple[str, ...]
    also: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """All that is shown, the question first."""
        return (self.question, *self.paragraphs, *self.points, *self.ours)


@dataclass(frozen=True)
class Faq:
    """All questions in one language, with where the facts come from and how old they are."""

    language: str
    as_of: datetime.date
    source: str
    source_date: str
    note_date: datetime.date
    note: tuple[str, ...]
    answers: tuple[Answer, ...]
    ignore: frozenset[str]


@dataclass(frozen=True)
class Piece:
    """A stretch of text, and whether it is what was searched for."""

    text: str
    found: bool


def read(document: str, names: Names) -> Faq:
    """Reads the TOML text of one language; KeyError when a part or a placeholder's name is missing."""
    raw = tomllib.loads(document)
    values = {"phone": names.phone, "site": names.site, "owner": names.owner, "brand": names.brand}

    def fill(texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(text.format_map(values) for text in texts)

    def answer(entry: dict[str, Any]) -> Answer:
        return Answer(
            entry["id"],
            entry["question"],
            fill(entry["paragraphs"]),
            fill(entry.get("points", ())),
            fill(entry.get("ours", ())),
            tuple(entry.get("links", ())),
            tuple(entry.get("also", ())),
        )

    return Faq(
        language=raw["language"],
        as_of=raw["as_of"],
        source=raw["source"]["name"],
        source_date=raw["source"]["date"],
        note_date=raw["note"]["date"],
        note=fill(raw["note"]["paragraphs"]),
        answers=tuple(answer(entry) for entry in raw["question"]),
        ignore=frozenset(raw["ignore"]),
    )


@lru_cache(maxsize=16)
def load(language: str, names: Names) -> Faq:
    """The questions in `language`, or in English where there is no text in it (the page then says so by `lang`)."""
    path = CONTENT / f"faq.{language}.toml"
    if not re.fullmatch(r"[a-z]{2,3}", language) or not path.is_file():
        path = CONTENT / "faq.en.toml"
    return read(path.read_text(encoding="utf-8"), names)


def wanted_words(query: str, ignore: frozenset[str]) -> tuple[str, ...]:
    """The words of a query that tell something: folded, without the language's small words, a plural -s, and the Arabic
    article that is written together with its word."""
    words = list(dict.fromkeys(re.findall(r"\w+", folded(query[:_LONGEST_QUERY]))))
    telling = [word for word in words if word not in ignore] or words
    return tuple(word.removesuffix("s").removeprefix(_THE) if len(word) > 3 else word for word in telling[:_MOST_WORDS])


def search(faq: Faq, query: str) -> tuple[Answer, ...]:
    """The answers that hold every word of the query, else those that hold any; the most fitting first.

    A word is found at the beginning of a word of the text. An empty query finds nothing.
    """
    words = wanted_words(query, faq.ignore)
    if not words:
        return ()
    ranked = [(answer, _hits(answer, words)) for answer in faq.answers]
    held = [(answer, hits) for answer, hits in ranked if all(hits)] or [(a, hits) for a, hits in ranked if any(hits)]
    return tuple(answer for answer, _ in sorted(held, key=lambda pair: -sum(pair[1])))


def _hits(answer: Answer, words: tuple[str, ...]) -> list[int]:
    """Per word: 4 when the question or the search words hold it, 1 when only the answer does, 0 when nothing does."""
    head, body = folded(" ".join((answer.question, *answer.also))), folded(" ".join(answer.texts))
    return [4 if _begins(word, head) else 1 if _begins(word, body) else 0 for word in words]


def _begins(word: str, text: str) -> bool:
    return re.search(rf"{_JOINED}{re.escape(word)}", text) is not None


def highlighted(text: str, words: tuple[str, ...]) -> tuple[Piece, ...]:
    """The text in pieces, those that the search found marked; joined they are the text unchanged."""
    folded_characters = [folded(character) for character in text]
    origin = [place for place, characters in enumerate(folded_characters) for _ in characters]
    marked: set[int] = set()
    if words:
        pattern = _JOINED + "(?:" + "|".join(re.escape(word) for word in words) + r")\w*"
        for match in re.finditer(pattern, "".join(folded_characters)):
            marked.update(range(origin[match.start()], origin[match.end() - 1] + 1))
    pieces: list[Piece] = []
    for place, character in enumerate(text):
        found = place in marked
        if pieces and pieces[-1].found == found:
            pieces[-1] = Piece(pieces[-1].text + character, found)
        else:
            pieces.append(Piece(character, found))
    return tuple(pieces)
