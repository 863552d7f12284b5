"""Where patients can read more about a page's topic: `content/trusted_links.toml`, or the file an operator names there.

A link is a plain address: nothing about the reader goes with it (pages send no referrer).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parent.parent / "content/trusted_links.toml"
FALLBACK, OF_SITES = "en", "nci"


@dataclass(frozen=True)
class TrustedLink:
    """`title` is empty for the page about a kind of cancer, whose own name stands on the page."""

    title: str
    address: str
    source: str
    language: str
    listed: date
    site: str = ""


def links_for(
    sites: Iterable[str], language: str, *, also: Iterable[str] = ("understand", "doctor")
) -> list[TrustedLink]:
    """The pages for these kinds of cancer and for these general topics, in the reader's language, else in English."""
    content = _content()
    code = language.partition("-")[0]
    found = []
    for site in dict.fromkeys(sites):
        if site in content["sites"]:
            found.append(_link(content, content["sites"][site], OF_SITES, code, site))
    found += [_link(content, content["any"][topic], content["any"][topic]["source"], code, "") for topic in also]
    return list({one.address: one for one in found}.values())


def links_of_kind(kind: str, language: str) -> list[TrustedLink]:
    """The pages about one kind of entry, such as test results; none for a kind without."""
    return links_for((), language, also=_content()["kinds"].get(kind, ()))


def _link(content: dict[str, Any], entry: dict[str, Any], source: str, code: str, site: str) -> TrustedLink:
    language = code if code in entry else FALLBACK
    title, address, of = ("", entry[language], source) if site else (*entry[language], source)[:3]
    return TrustedLink(title, address, content["sources"][of][language], language, content["listed"], site)


@cache
def _content() -> dict[str, Any]:
    return tomllib.loads(SOURCE.read_text(encoding="utf-8"))
