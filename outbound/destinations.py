"""Which addresses may be called at all: a strict reading of URLs and the list of origins from configuration.

Nothing is repaired here. A URL that two programs could read differently (user names, backslashes, encoded hosts,
numbers that are secretly addresses, dot segments) is refused, so that what was checked is what is called
(requirements SEC-05; threats.md abuse cases 1 and 2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from outbound.errors import OutboundRefused

MAX_URL = 8192
DEFAULT_PORTS = {"http": 80, "https": 443, "smtp": 587, "smtps": 465, "postgresql": 5432}
DEFAULT_PORTS |= {"nats": 4222, "tls": 4222, "kafka": 9092}  # stores that are streams

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?")
_BAD_CHARACTER = re.compile(r"""[^!-~]|[\\"<>`{}^]""")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})|%(00|2f|5c|0a|0d|09)", re.IGNORECASE)
_DOT_SEGMENT = re.compile(r"(^|/)(\.|%2e){1,2}($|/|;)", re.IGNORECASE)


@dataclass(frozen=True)
class Origin:
    """Scheme, host (lower case, IPv6 in brackets) and port; two URLs of one origin go to the same place."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        port = "" if DEFAULT_PORTS[self.scheme] == self.port else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"


@dataclass(frozen=True)
class Target:
    """One URL, read strictly. `path` begins with a slash; `query` is empty or begins with a question mark."""

    origin: Origin
    path: str
    query: str

    @property
    def url(self) -> str:
        return f"{self.origin}{self.path}{self.query}"


@dataclass(frozen=True)
class Destination:
    """An origin we may call. `private` ones are on this machine (demo, tests) and may speak plain http."""

    origin: Origin
    private: bool = False

    def __post_init__(self) -> None:
        if self.origin.scheme == "http" and not self.private:
            raise OutboundRefused("plain-http")


def read_url(url: str) -> Target:
    """The one meaning of `url`; OutboundRefused with a reason when it has none or more than one."""
    if not isinstance(url, str) or not url or len(url) > MAX_URL:
        raise OutboundRefused("url-length")
    if _BAD_CHARACTER.search(url):
        raise OutboundRefused("url-characters")
    if "#" in url:
        raise OutboundRefused("url-fragment")
    match = _URL.fullmatch(url)
    if match is None:
        raise OutboundRefused("url-form")
    scheme, authority, path, query = match[1].lower(), match[2], match[3] or "/", match[4] or ""
    if scheme not in DEFAULT_PORTS:
        raise OutboundRefused("url-scheme")
    if _BAD_ESCAPE.search(path) or _DOT_SEGMENT.search(path):
        raise OutboundRefused("url-path")
    host, port = _host_and_port(authority)
    return Target(Origin(scheme, host, port or DEFAULT_PORTS[scheme]), path, query)


def destination(url: str, *, private: bool) -> Destination:
    """The destination that a configured address stands for."""
    return Destination(read_url(url).origin, private)


def within(url: str, base: str) -> bool:
    """Is `url` at the same scheme, host and port as `base`, and at or below its path? (SMART-46, LIB-02)"""
    return is_below(read_url(url), base)


def is_below(target: Target, base: str) -> bool:
    """The same of an address that was read already."""
    root = _read_base(base)
    prefix = root.path.rstrip("/")
    return target.origin == root.origin and (target.path == prefix or target.path.startswith(prefix + "/"))


@lru_cache(maxsize=512)
def _read_base(base: str) -> Target:
    """Base addresses come from configuration: few, asked for again and again, and of nobody."""
    return read_url(base)


class AllowList:
    """The origins named by configuration: hospitals, issuers, stores, the text service, mail. Nothing else exists."""

    def __init__(self, destinations: Iterable[Destination]) -> None:
        self._by_origin: dict[Origin, Destination] = {}
        for each in destinations:
            if self._by_origin.setdefault(each.origin, each).private is not each.private:
                raise OutboundRefused("destination-both-private-and-public")

    def target(self, url: str) -> Target:
        """`url` read strictly, when its origin is listed; OutboundRefused else. Nothing is looked up or sent."""
        target = read_url(url)
        self.destination(target.origin)
        return target

    def destination(self, origin: Origin) -> Destination:
        found = self._by_origin.get(origin)
        if found is None:
            raise OutboundRefused("origin-not-listed")
        return found


def _host_and_port(authority: str) -> tuple[str, int | None]:
    if "@" in authority or "%" in authority:
        raise OutboundRefused("url-authority")
    host, port_text = authority, None
    if authority.startswith("["):
        host, bracket, rest = authority.partition("]")
        host += bracket
        if rest and not rest.startswith(":"):
            raise OutboundRefused("url-authority")
        port_text = rest[1:] if rest else None
    elif ":" in authority:
        host, _, port_text = authority.partition(":")
    port = None
    if port_text is not None:
        if not _PORT.fullmatch(port_text) or int(port_text) > 65535:
            raise OutboundRefused("url-port")
        port = int(port_text)
    return _host(host.lower()), port


def _host(host: str) -> str:
    if host.startswith("["):
        try:
            return f"[{IPv6Address(host[1:-1])}]"
        except AddressValueError:
            raise OutboundRefused("url-host") from None
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise OutboundRefused("url-host")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(host))  # only four plain decimal numbers; 127.1, 0x7f.1 and 2130706433 are refused
        except AddressValueError:
            raise OutboundRefused("url-host") from None
    return host
