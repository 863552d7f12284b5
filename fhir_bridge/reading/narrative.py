"""The provider's own text (`text.div`), made safe by a narrow list of what may stay (FHIR-14)."""

from __future__ import annotations

import nh3

from fhir_bridge.reading.shape import obj
from vocabulary.resource import Resource

_TAGS = {
    "p", "br", "div", "span", "b", "strong", "i", "em", "u", "small", "sub", "sup", "ul", "ol", "li", "dl", "dt", "dd",
    "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "hr",
    "blockquote",
}  # fmt: skip
_ATTRIBUTES = {"td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan", "scope"}, "*": {"lang", "dir"}}
_DROPPED_WITH_TEXT = {"script", "style", "iframe", "object", "embed", "svg", "math", "template", "noscript", "title"}
LONGEST = 200_000


def narrative_html(resource: Resource) -> str:
    """Safe HTML of the entry's narrative: no links, images, styles or scripts; empty when there is none."""
    div = obj(resource.get("text")).get("div")
    if not isinstance(div, str) or not div.strip():
        return ""
    return safe_html(div)


def safe_html(html: str) -> str:
    """`html` with only plain text structure left."""
    return nh3.clean(
        html.encode("utf-8", "replace").decode()[:LONGEST],
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        clean_content_tags=_DROPPED_WITH_TEXT,
        strip_comments=True,
        url_schemes=set(),
        link_rel=None,
    )
