"""From words to a tagged PDF (PDF/UA-1, ISO 14289-1; A11Y-04), in this process and without a file of its own.

Typst refuses to write what does not conform: a skipped heading level, a picture without words, a missing title. All
words go in as data and never as markup. The same paper gives the same bytes, whatever the clock says. The template and
fonts are ours; fonts of the system are not looked at, so that a copy looks alike on every machine.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import typst

from patient_portal.edge.languages import direction_of
from patient_portal.papers.glyphs import FONTS, showable

TEMPLATE = Path(__file__).resolve().parents[2] / "templates/papers/paper.typ"
Part = Mapping[str, Any]
# One at a time in a process: a paper takes a few hundredths of a second, and its memory does not add up.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Paper:
    """A document: `language` is a BCP 47 tag, `dated` the time it is about, `parts` made by the functions below."""

    title: str
    language: str
    dated: datetime
    footer: str
    parts: Sequence[Part]
    keywords: tuple[str, ...] = field(default=())


def heading(level: int, words: str) -> Part:
    return {"kind": "heading", "level": level, "text": words}


def lead(words: str) -> Part:
    return {"kind": "lead", "text": words}


def paragraphs(*lines: str) -> Part:
    return {"kind": "paragraphs", "text": list(lines)}


def small(*lines: str) -> Part:
    return {"kind": "small", "text": list(lines)}


def address(*lines: str) -> Part:
    """A postal address for a window envelope: at the left and from left to right in every language, or its house number
    would move behind the street."""
    return {"kind": "address", "text": list(lines)}


def in_tongues(before: str, words: Sequence[tuple[str, str]], number: str) -> Part:
    """A small line: words of the paper's language, then some each in a language of its own (BCP 47 tag, words), then a
    phone number."""
    tongues = [[code.split("-")[0], direction_of(code), each] for code, each in words]
    return {"kind": "tongues", "before": before, "words": tongues, "number": number}


def facts(
    rows: Sequence[tuple[str, str]], *, exact: frozenset[str] = frozenset(), one_page: bool = False
) -> Part:  # fmt: skip
    """Labels with their values, whose lines are kept; labels in `exact` have a code or number for a value, read from
    left to right. `one_page`: with as much room as a page has, and no more than one."""
    rows_of = [[label, value, label in exact] for label, value in rows]
    return {"kind": "facts", "rows": rows_of, "one-page": one_page}


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float]) -> Part:
    """Rows under column names that are repeated on each page; `widths` are shares of the line."""
    return {"kind": "table", "columns": list(columns), "rows": [list(row) for row in rows], "widths": list(widths)}


def ticks(*lines: str, one_page: bool = False) -> Part:
    """Boxes to tick; `one_page` as for `facts`."""
    return {"kind": "ticks", "text": list(lines), "one-page": one_page}


def blanks(*labels: str) -> Part:
    """Lines to write on."""
    return {"kind": "blanks", "text": list(labels)}


def room(label: str) -> Part:
    """What is left of the page, as lines to write on."""
    return {"kind": "room", "text": label}


def new_page() -> Part:
    """What follows begins on a page of its own."""
    return {"kind": "page"}


def codes(pictures: Sequence[tuple[str, str]], width_cm: float) -> Part:
    """Pictures side by side: (SVG, what it is in words)."""
    return {"kind": "codes", "width": width_cm, "images": [{"svg": svg, "alt": alt} for svg, alt in pictures]}


def typeset(paper: Paper, *, as_pictures: bool = False) -> bytes | list[bytes]:
    """The PDF, or a PNG for each page to look at. A paper that does not conform raises typst.TypstError."""
    value = {
        "title": showable(paper.title),
        "language": paper.language,
        "direction": direction_of(paper.language),
        "footer": showable(paper.footer),
        "keywords": list(paper.keywords),
        "parts": [_showable(part) for part in paper.parts],
    }
    with _ONE_AT_A_TIME:
        made = typst.compile(
            TEMPLATE,
            root=TEMPLATE.parent,
            font_paths=_fonts(),
            ignore_system_fonts=True,
            sys_inputs={"paper": orjson.dumps(value).decode()},
            timestamp=paper.dated.astimezone(UTC).replace(microsecond=0),
            **({"format": "png", "ppi": 80.0} if as_pictures else {"format": "pdf", "pdf_standards": ["ua-1"]}),
        )
    assert made is not None
    return made


def pdf_of(paper: Paper) -> bytes:
    """The paper as PDF/UA-1."""
    made = typeset(paper)
    assert isinstance(made, bytes)
    return made


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[FONTS])


def _showable(value: Any) -> Any:
    """Every text in a part, with what no font shows written out; pictures stay as they are."""
    if isinstance(value, str):
        return showable(value)
    if isinstance(value, list):
        return [_showable(each) for each in value]
    if isinstance(value, Mapping):
        return {name: each if name in ("svg", "kind") else _showable(each) for name, each in value.items()}
    return value
