"""The words of a section of a clinical document (HL7 CDA R2, narrative block) as safe HTML (FHIR-14).

Only the structure that CDA names for its narrative is turned into HTML, each element into one of a short list without
any attribute but how far a cell reaches; what comes out is sieved once more as every foreign HTML is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from xml.etree.ElementTree import Element

from fhir_bridge.reading.narrative import safe_html

CDA = "{urn:hl7-org:v3}"
LONGEST_SECTION = 190_000
"""In characters of HTML; safe_html takes a little more."""
LONGEST_WORDS = 300

_SAME = frozenset({"table", "thead", "tbody", "tfoot", "tr", "sub", "sup"})
_AS = {"paragraph": "p", "item": "li", "footnote": "small", "linkHtml": "span", "content": "span"}
_STYLES = (("bold", "strong"), ("emphasis", "em"), ("italics", "em"), ("underline", "u"))
_OF_TABLE = frozenset({"caption", "thead", "tbody", "tfoot", "tr"})
_NOTHING = frozenset({"col", "colgroup", "footnoteRef"})
_WIDEST = 100


@dataclass(frozen=True)
class Narrative:
    """Safe HTML; `cut`: it is not the whole text; `pictures`: pictures belong into it that are not here."""

    html: str
    cut: bool
    pictures: bool


def narrative(text: Element | None, longest: int) -> Narrative:
    """The HTML of a section's `text`, of about `longest` characters at most."""
    if text is None:
        return Narrative("", False, False)
    writer = _Writer(longest)
    writer.inside(text)
    made = "".join(writer.pieces).strip()
    return Narrative(safe_html(made) if made else "", writer.room <= 0, writer.pictures)


def words_of(text: str) -> str:
    """Text in one line, at most LONGEST_WORDS characters."""
    return " ".join(text[: 8 * LONGEST_WORDS].split())[:LONGEST_WORDS]


class _Writer:
    """Writes HTML until there is no room; what is left open then is closed by the sieve."""

    def __init__(self, room: int) -> None:
        self.pieces: list[str] = []
        self.room = room
        self.pictures = False

    def inside(self, element: Element, only: frozenset[str] | None = None) -> None:
        """What stands in an element; `only` of these names where words between them have no place."""
        if only is None:
            self._words(element.text)
        for child in element:
            if self.room <= 0:
                return
            if only is None or _name(child) in only:
                self._element(child)
            if only is None:
                self._words(child.tail)

    def _element(self, element: Element) -> None:
        name = _name(element)
        if name == "list":
            self._list(element)
        elif name == "table":
            self._around("table", element, _OF_TABLE)
        elif name in ("tr", "thead", "tbody", "tfoot"):
            self._around(name, element, frozenset({"td", "th"}) if name == "tr" else frozenset({"tr"}))
        elif name in ("td", "th"):
            self._cell(name, element)
        elif name == "caption":
            self._around("caption", element)
        elif name == "br":
            self._put("<br>")
        elif name == "renderMultiMedia":
            self.pictures = True
        elif name not in _NOTHING:
            plain = _AS.get(name, name if name in _SAME else "")
            self._around(_style(element) if name == "content" else plain, element)

    def _list(self, element: Element) -> None:
        """A list holds items only, so its caption goes before it."""
        for caption in element.findall(f"{CDA}caption"):
            self._around("p", caption)
        kind = "ol" if element.get("listType") == "ordered" else "ul"
        if element.find(f"{CDA}item") is not None:
            self._around(kind, element, frozenset({"item"}))

    def _cell(self, name: str, element: Element) -> None:
        empty = name == "th" and not "".join(element.itertext()).strip()  # a heading without words names nothing
        tag, reach = "td" if empty else name, ""
        for attribute in ("colspan", "rowspan"):
            given = element.get(attribute, "")
            if re.fullmatch(r"[0-9]{1,4}", given):
                reach += f' {attribute}="{min(max(1, int(given)), _WIDEST)}"'
        self._put(f"<{tag}{reach}>")
        self.inside(element)
        self._put(f"</{tag}>")

    def _around(self, tag: str, element: Element, only: frozenset[str] | None = None) -> None:
        self._put(f"<{tag}>" if tag else "")
        self.inside(element, only)
        self._put(f"</{tag}>" if tag else "")

    def _words(self, text: str | None) -> None:
        if text and self.room > 0:
            self._put(escape(text[: self.room], quote=False))

    def _put(self, piece: str) -> None:
        self.pieces.append(piece)
        self.room -= len(piece)


def _name(element: Element) -> str:
    """The local name of a CDA element, empty for one of another name space: then only its words count."""
    tag = element.tag
    return tag.removeprefix(CDA) if isinstance(tag, str) and tag.startswith(CDA) else ""


def _style(element: Element) -> str:
    told = element.get("styleCode", "").lower().split()
    return next((tag for style, tag in _STYLES if style in told), "span")
