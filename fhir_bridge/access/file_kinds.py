"""What kind of file somebody sends, told by its content and never by its name (SEC-12; OWASP ASVS 5.0, V5.2). Pure.

Nothing is opened, unpacked or parsed here or later: a file is kept as it came and given back only to be saved. So a ZIP
that unpacks without end, or XML that names other files, harms nobody; kinds that a browser would run are refused.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from vocabulary.phrase import Phrase, phrase

MOST_BYTES = 20 * 1024 * 1024
LONGEST_NAME = 100


@dataclass(frozen=True)
class FileKind:
    """A kind that may be added: its short code, media type, ending, and name for people."""

    code: str
    media_type: str
    ending: str
    name: Phrase


PDF = FileKind("pdf", "application/pdf", ".pdf", phrase("PDF"))
JPEG = FileKind("jpeg", "image/jpeg", ".jpg", phrase("Photo (JPEG)"))
PNG = FileKind("png", "image/png", ".png", phrase("Picture (PNG)"))
TIFF = FileKind("tiff", "image/tiff", ".tif", phrase("Scan (TIFF)"))
HEIC = FileKind("heic", "image/heic", ".heic", phrase("Photo (HEIC)"))
CDA = FileKind("ccda", "text/xml", ".xml", phrase("Health record file (C-CDA)"))
JSON = FileKind("json", "application/json", ".json", phrase("Health record file (JSON)"))
TEXT = FileKind("text", "text/plain", ".txt", phrase("Text"))
KINDS = {kind.code: kind for kind in (PDF, JPEG, PNG, TIFF, HEIC, CDA, JSON, TEXT)}

_BEGINNINGS: tuple[tuple[bytes, FileKind], ...] = (
    (b"%PDF-", PDF),
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
)
_HEIC = re.compile(rb"\A....ftyp(?:heic|heix|heim|heis|mif1)", re.DOTALL)
_RUNS = re.compile(r"<\s*(?:!doctype\s+html|html|script|svg|iframe|body|head)\b", re.IGNORECASE)
_CDA = re.compile(r"(?:\s|<!--[^>]{0,2000}-->|<\?[^>]{0,500}\?>)*+<(?:\w+:)?ClinicalDocument\b")
_ALLOWED_CONTROLS = frozenset("\t\n\r\f")


def kind_of(content: bytes) -> FileKind | None:
    """The kind that the bytes say; None for anything else, the empty file included."""
    for beginning, kind in _BEGINNINGS:
        if content.startswith(beginning):
            return kind
    if _HEIC.match(content):
        return HEIC
    return _kind_of_text(content)


def _kind_of_text(content: bytes) -> FileKind | None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if not text.strip() or any(_is_control(sign) for sign in set(text)):
        return None
    if _CDA.match(text[:10_000]):
        return None if "<!DOCTYPE" in text or "<!ENTITY" in text else CDA
    start = text.lstrip()[:1]
    if _RUNS.search(text) or start == "<":
        return None
    return JSON if start in "{[" else TEXT


def _is_control(sign: str) -> bool:
    return (sign < " " or "\x7f" <= sign <= "\x9f") and sign not in _ALLOWED_CONTROLS


def plain_name(sent: str, kind: FileKind) -> str:
    """The name that a person sees: without folders, signs that turn or hide letters, or an ending that lies."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", sent))[-1]
    clean = "".join(sign for sign in last if unicodedata.category(sign)[0] != "C" and sign not in '<>:"|?*')
    stem = clean.rsplit(".", 1)[0] if "." in clean else clean
    return (stem.strip(" .")[:LONGEST_NAME] or kind.code) + kind.ending
