"""Where the next page is, and where it may not be (FHIR-05, LIB-02, SMART-46).

A `next` link is followed as given, but only inside the FHIR base for which the token was issued: same scheme, host
and port, and the base's own path. Everything else is refused, and the list is named as incomplete.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit

PAGE_CAP = 1000

_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")


@dataclass(frozen=True)
class Next:
    """Either the `url` to fetch, or the reason (`stop`) why paging ends early; both None: this was the last page."""

    url: str | None = None
    stop: str | None = None


def within_base(base: str, url: str) -> bool:
    """Whether absolute `url` lies under the FHIR `base`, so that the base's token may be sent there."""
    if _UNSAFE.search(url):
        return False
    try:
        ours, theirs = urlsplit(base), urlsplit(url)
        our_port, their_port = ours.port, theirs.port
    except ValueError:
        return False
    if theirs.username is not None or theirs.password is not None or not theirs.hostname:
        return False
    if theirs.scheme != ours.scheme or theirs.hostname != ours.hostname:
        return False
    default = _DEFAULT_PORTS.get(ours.scheme)
    if (our_port or default) != (their_port or default):
        return False
    path = _unquote_fully(theirs.path)
    if "\\" in path or any(segment in (".", "..") for segment in path.split("/")):
        return False
    root = ours.path.rstrip("/")
    return theirs.path == root or theirs.path.startswith(root + "/")


def absolute(base: str, reference: str) -> str | None:
    """`reference` (relative to the FHIR base, or absolute) as an absolute URL under `base`; None when it is not."""
    if _UNSAFE.search(reference) or not reference:
        return None
    try:
        url = urljoin(base.rstrip("/") + "/", reference)
    except ValueError:
        return None
    return url if within_base(base, url) else None


def follow(base: str, page_url: str, link: str | None, visited: frozenset[str] | set[str], pages: int) -> Next:
    """What comes after a page.

    `page_url` is the page just read, `link` its `next` as received, `visited` every URL fetched in this search and
    `pages` how many pages were read. A relative link is resolved against the page (RFC 3986).
    """
    if not link:
        return Next()
    if _UNSAFE.search(link):
        return Next(stop="next-link-unreadable")
    try:
        url = urljoin(page_url, link)
    except ValueError:
        return Next(stop="next-link-unreadable")
    if not within_base(base, url):
        return Next(stop="next-link-elsewhere")
    if url in visited:
        return Next(stop="next-link-repeats")
    if pages >= PAGE_CAP:
        return Next(stop="too-many-pages")
    return Next(url=url)


def _unquote_fully(path: str) -> str:
    for _ in range(3):
        plain = unquote(path)
        if plain == path:
            break
        path = plain
    return path
