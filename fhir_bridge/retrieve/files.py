"""Fetching an attached file and checking it against what was promised (FHIR-11)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from fhir_bridge.reading.promises import problems_of
from fhir_bridge.retrieve.asking import Asker
from fhir_bridge.retrieve.json_body import Parsed, parse
from fhir_bridge.retrieve.references import FileLink

FILE_CAP_BYTES = 25 * 1024 * 1024


@dataclass(frozen=True)
class FetchedFile:
    """An attached file: its bytes, and `problems` found: size-differs, hash-differs.

    `body` is None when it was not had; `missing` then says why: too-large, not-authorized, not-there, failed.
    """

    link: FileLink
    body: bytes | None
    content_type: str
    problems: tuple[str, ...]
    missing: str | None


def fetch_file(asker: Asker, link: FileLink) -> FetchedFile:
    """Fetch one file; a Binary sent as JSON is unpacked."""
    if link.size is not None and link.size > FILE_CAP_BYTES:
        return FetchedFile(link, None, link.content_type, (), "too-large")
    answer = asker.ask(link.url, {"Accept": link.content_type or "*/*"})
    if answer.status != 200:
        missing = "not-authorized" if answer.status in (401, 403) else "failed"
        return FetchedFile(link, None, link.content_type, (), "not-there" if answer.status == 404 else missing)
    if len(answer.body) > 2 * FILE_CAP_BYTES:
        return FetchedFile(link, None, link.content_type, (), "too-large")
    sent_type = next((text for name, text in answer.headers.items() if name.lower() == "content-type"), "")
    body, content_type = unpacked(answer.body, sent_type, link.content_type)
    if len(body) > FILE_CAP_BYTES:
        return FetchedFile(link, None, content_type, (), "too-large")
    return FetchedFile(link, body, content_type, problems_of(body, link.size, link.sha1), None)


def unpacked(body: bytes, sent_type: str, wanted_type: str) -> tuple[bytes, str]:
    """The bytes of the file and their type, whether sent raw or as a FHIR Binary in JSON."""
    is_json = sent_type.split(";")[0].strip().lower() in ("application/fhir+json", "application/json")
    if is_json and wanted_type.split(";")[0].strip().lower() not in ("application/fhir+json", "application/json"):
        parsed = parse(body)
        if isinstance(parsed, Parsed) and isinstance(parsed.value, dict):
            data, kind = parsed.value.get("data"), parsed.value.get("contentType")
            if parsed.value.get("resourceType") == "Binary" and isinstance(data, str):
                try:
                    plain = base64.b64decode(data, validate=False)
                except (binascii.Error, ValueError):
                    plain = b""
                return plain, kind if isinstance(kind, str) else wanted_type
    return body, wanted_type or sent_type
