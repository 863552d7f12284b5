"""A person's record as one FHIR Bundle to take along (DL-01): collection, every resource as it was received."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import orjson

from vocabulary.resource import Resource

MEDIA_TYPE = "application/fhir+json"


def as_bundle(
    resources: Iterable[bytes | tuple[str, bytes] | Resource], base: str | None = None, head: Resource | None = None
) -> Iterator[bytes]:
    """The Bundle, piece by piece, so that a long record needs no memory.

    Each resource is its JSON text (kept byte for byte, without a byte order mark) or a dictionary; a pair is
    (FHIR base it came from, JSON text), which makes its own fullUrl. `fullUrl` is `base/Type/id`; without a base or an
    id it is left out, as FHIR R4 bundle.html#bundle-unique requires a URL that is true. `head` are more elements of the
    Bundle itself, such as when it was made.
    Raises ValueError for text that is not one JSON object.
    """
    yield b'{"resourceType":"Bundle","type":"collection"'
    for name, value in (head or {}).items():
        yield b"," + orjson.dumps(name) + b":" + orjson.dumps(value)
    opened = False
    for resource in resources:
        source, raw = base, resource
        if isinstance(raw, tuple):
            source, raw = raw
        text, read = _text_and_value(raw)
        yield b"," if opened else b',"entry":['
        opened = True
        full_url = _full_url(source, read)
        if full_url is not None:
            yield b'{"fullUrl":' + orjson.dumps(full_url) + b',"resource":' + text + b"}"
        else:
            yield b'{"resource":' + text + b"}"
    yield b"]}" if opened else b"}"


def _text_and_value(raw: bytes | Resource) -> tuple[bytes, Resource]:
    if isinstance(raw, dict):
        return orjson.dumps(raw), raw
    text = raw.removeprefix(b"\xef\xbb\xbf").strip()
    value = orjson.loads(text)
    if not isinstance(value, dict):
        raise ValueError("a resource is a JSON object")  # noqa: TRY004 - the text is wrong, not the argument's type
    return text, value


def _full_url(base: str | None, resource: Resource) -> str | None:
    kind, identity = resource.get("resourceType"), resource.get("id")
    if base and isinstance(kind, str) and isinstance(identity, str):
        return f"{base.rstrip('/')}/{kind}/{identity}"
    return None
