"""Bytes that claim to be JSON, read without trusting the claim: byte order marks, UTF-16, NaN, HTML, half a file.

The raw text of each entry is kept beside what was parsed, because JSON numbers lose their precision when they pass
through a float (FHIR R4, "decimal": precision is significant).
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson


@dataclass(frozen=True)
class Unreadable:
    """Why a body could not be read: empty, html, truncated, not-json."""

    reason: str


@dataclass(frozen=True)
class Parsed:
    """A JSON value, and the UTF-8 text it came from (`text` is None when it had to be repaired to be read)."""

    value: Any
    text: bytes | None


class _Entry(msgspec.Struct):
    resource: msgspec.Raw
    search: Any = None


class _Bundle(msgspec.Struct):
    resourceType: str  # noqa: N815 - FHIR's own name
    entry: list[_Entry] = []
    link: Any = None
    total: Any = None


_BUNDLES = msgspec.json.Decoder(_Bundle)


@dataclass(frozen=True)
class PlainBundle:
    """A Bundle in good JSON: (resource, its text byte for byte, `search`) of each entry, and `head`, the rest of it."""

    entries: list[tuple[dict[str, Any], bytes, Any]]
    head: dict[str, Any]


def plain_bundle(body: bytes) -> PlainBundle | None:
    """Read a Bundle as nearly every server sends it, in one pass; None when anything about it is unusual."""
    try:
        bundle = _BUNDLES.decode(body)
        if bundle.resourceType != "Bundle":
            return None
        entries = []
        for entry in bundle.entry:
            text = bytes(entry.resource)
            resource = orjson.loads(text)
            if not isinstance(resource, dict):
                return None
            entries.append((resource, text, entry.search))
    except (msgspec.MsgspecError, orjson.JSONDecodeError, RecursionError, ValueError):
        return None
    return PlainBundle(entries, {"link": bundle.link, "total": bundle.total})


def parse(body: bytes) -> Parsed | Unreadable:
    """Read `body` as JSON; never raises."""
    text = _as_utf8(body)
    if not text.strip():
        return Unreadable("empty")
    try:
        return Parsed(orjson.loads(text), text)
    except orjson.JSONDecodeError:
        pass
    if text.lstrip()[:1] == b"<":
        return Unreadable("html")
    try:
        value = json.loads(text.decode("utf-8", "replace"), parse_constant=lambda _name: None)
        return Parsed(orjson.loads(orjson.dumps(_repaired(value))), None)
    except json.JSONDecodeError as error:
        at_end = error.pos >= len(text.rstrip()) - 1 or "Unterminated" in error.msg
        return Unreadable("truncated" if at_end else "not-json")
    except (ValueError, RecursionError, TypeError):
        return Unreadable("not-json")


def _as_utf8(body: bytes) -> bytes:
    if body.startswith(codecs.BOM_UTF8):
        return body[len(codecs.BOM_UTF8) :]
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return body.decode("utf-16", "replace").encode("utf-8", "replace")
    return body


def _repaired(value: Any) -> Any:
    """The same value without what UTF-8 and 64-bit JSON cannot hold: lone surrogates, endless numbers."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_repaired(item) for item in value]
    if isinstance(value, dict):
        return {_repaired(key): _repaired(item) for key, item in value.items()}
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        return str(value)
    return value


_TOKEN = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"(\s*:)?|[{}\[\]]', re.DOTALL)


def entry_texts(text: bytes) -> list[bytes | None]:
    """The text of each `entry[i].resource` of a Bundle, in order, exactly as it stands in `text` (valid JSON)."""
    found: list[bytes | None] = []
    depth, start, in_entries, key = 0, -1, False, b""
    for token in _TOKEN.finditer(text):
        mark = token.group(0)
        if mark[:1] == b'"':
            if token.group(2):
                key = token.group(1)
                if depth == 1:
                    in_entries = False
            continue
        if mark in (b"{", b"["):
            depth += 1
            if depth == 2 and mark == b"[" and key == b"entry":
                in_entries, found = True, []
            elif depth == 3 and in_entries:
                found.append(None)
            elif depth == 4 and in_entries and key == b"resource" and mark == b"{":
                start = token.start()
            key = b""
            continue
        if depth == 4 and start >= 0:
            found[-1], start = text[start : token.end()], -1
        depth -= 1
    return found
