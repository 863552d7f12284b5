"""The runbook, read for its page: an entry for each alert, in paragraphs and lists of plain words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).resolve().parent.parent.parent / "templates" / "operator" / "runbook.md"
"""A link to `docs/runbook.md` in a checkout; the file itself where the package is installed."""
_SPAN = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\([^)]*\)")


@dataclass(frozen=True)
class Span:
    """A piece of a sentence; `kind` is `words`, `code` or `strong`."""

    kind: str
    text: str


@dataclass(frozen=True)
class Block:
    """A paragraph, or the items of a list."""

    is_list: bool
    items: tuple[tuple[Span, ...], ...]


@dataclass(frozen=True)
class Entry:
    """What one alert means; `anchor` is its name in small letters. The first entry is the runbook's own beginning."""

    title: str
    blocks: tuple[Block, ...]

    @property
    def anchor(self) -> str:
        return self.title.lower()


@cache
def load() -> tuple[Entry, ...]:
    """The runbook of this installation."""
    return read(FILE.read_text(encoding="utf-8"))


def read(text: str) -> tuple[Entry, ...]:
    """The entries of a runbook: headings of the second order, paragraphs, lists with `-`, code and strong words."""
    entries = []
    for part in re.split(r"^#{1,2} ", text, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        blocks = (_block(each) for each in re.split(r"\n\s*\n", body.strip()) if each)
        entries.append(Entry(title.strip(), tuple(blocks)))
    return tuple(entries)


def _block(text: str) -> Block:
    is_list = text.startswith("- ")
    items = re.split(r"\n?^- ", text, flags=re.MULTILINE)[1:] if is_list else [text]
    return Block(is_list, tuple(_spans(" ".join(item.split())) for item in items))


def _spans(sentence: str) -> tuple[Span, ...]:
    spans, end = list[Span](), 0
    for found in _SPAN.finditer(sentence):
        spans.append(Span("words", sentence[end : found.start()]))
        kind = "code" if found[1] else "strong" if found[2] else "words"
        spans.append(Span(kind, found[1] or found[2] or found[3]))
        end = found.end()
    spans.append(Span("words", sentence[end:]))
    return tuple(span for span in spans if span.text)
