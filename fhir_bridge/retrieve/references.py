"""What a record refers to and should be read beside it: who, where, which medicine, and the attached files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from fhir_bridge.retrieve.page import Received
from fhir_bridge.retrieve.paging import absolute
from vocabulary.resource import Resource

MOST_STEPS = 200_000


@dataclass(frozen=True)
class FileLink:
    """An attachment that stands elsewhere: where, and what was promised about it (FHIR R4 Attachment).

    `size` in bytes and `sha1` (base64) as promised, None when not said; `owner` is `Type/id`.
    """

    owner: str
    url: str
    content_type: str
    size: int | None
    sha1: str | None


_REFERENCE = re.compile(rb'"reference"\s*:\s*"((?:[^"\\]|\\.)*)"')
_MOST_REMEMBERED = 20_000


class References:
    """The `Type/id` of everything that the resources of one retrieval refer to, of some types on the same server."""

    def __init__(self, types: tuple[str, ...], base: str) -> None:
        self._types, self._base = types, base
        self._met: set[bytes] = set()
        self.found: set[str] = set()

    def note(self, one: Received) -> None:
        """Add what a resource refers to. Most name the same few people and places, which are read once."""
        if b"\\u00" in one.raw:  # a key can be written in another way; rare, and walked
            self.found |= references_in(one.resource, self._types, self._base)
            return
        met = set(_REFERENCE.findall(one.raw)) - self._met
        if len(self._met) < _MOST_REMEMBERED:
            self._met |= met
        self.found |= {name for each in met if (name := _named_in(_plain(each), self._types, self._base))}


def _plain(text: bytes) -> str:
    if b"\\" not in text:
        return text.decode("utf-8", "replace")
    try:
        return str(orjson.loads(b'"' + text + b'"'))
    except orjson.JSONDecodeError:
        return ""


def references_in(resource: Resource, types: tuple[str, ...], base: str) -> set[str]:
    """The `Type/id` of everything in `resource` that refers to one of `types` on the same server."""
    texts = {part["reference"] for part in _objects(resource) if isinstance(part.get("reference"), str)}
    return {name for each in texts if (name := _named_in(each, types, base))}


def _named_in(reference: str, types: tuple[str, ...], base: str) -> str | None:
    """The `Type/id` that a reference names, when it is one of `types` on the server at `base`."""
    url = absolute(base, reference)
    if url is None:
        return None
    segments = url[len(base.rstrip("/")) + 1 :].split("?")[0].split("/")
    return f"{segments[0]}/{segments[1]}" if len(segments) >= 2 and segments[0] in types and segments[1] else None


def file_links_in(resource: Resource, base: str) -> list[FileLink]:
    """The attachments of a DocumentReference or DiagnosticReport that are to be fetched from the same server."""
    if "content" not in resource and "presentedForm" not in resource:
        return []
    links = []
    for attachment in attachments_of(resource):
        given = attachment.get("url")
        if isinstance(attachment.get("data"), str) or not isinstance(given, str):
            continue
        url = absolute(base, given)
        if url is not None:
            size, sha1, kind = attachment.get("size"), attachment.get("hash"), attachment.get("contentType")
            links.append(
                FileLink(
                    f"{resource.get('resourceType')}/{resource.get('id')}",
                    url,
                    kind if isinstance(kind, str) else "",
                    size if isinstance(size, int) and not isinstance(size, bool) else None,
                    sha1 if isinstance(sha1, str) else None,
                )
            )
    return links


def attachments_of(resource: Resource) -> list[dict[str, Any]]:
    """The Attachment elements of a resource, in order; never raises."""
    content = resource.get("content")
    found: list[Any] = [
        one.get("attachment") for one in (content if isinstance(content, list) else []) if isinstance(one, dict)
    ]
    forms = resource.get("presentedForm")
    found += forms if isinstance(forms, list) else []
    return [one for one in found if isinstance(one, dict)]


def _objects(resource: Any) -> Iterator[dict[str, Any]]:
    waiting, steps = [resource], 0
    while waiting and steps < MOST_STEPS:
        value = waiting.pop()
        steps += 1
        if isinstance(value, dict):
            yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
