"""Notes and reports: plain names of the note types (FHIR-04), and each attached file shown once (FHIR-12)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fhir_bridge.reading.promises import inline_data, problems_of
from fhir_bridge.reading.shape import codings, obj, objects, text
from vocabulary.phrase import Phrase, phrase
from vocabulary.resource import Resource

NOTE_TYPES: dict[str, Phrase] = {
    "11488-4": phrase("Note from a specialist visit"),
    "18842-5": phrase("Summary of a hospital stay"),
    "34117-2": phrase("Your history and exam"),
    "28570-0": phrase("Note about a procedure"),
    "11506-3": phrase("Note about how you are doing"),
    "18748-4": phrase("Report of a scan or X-ray"),
    "11502-2": phrase("Lab report"),
    "11526-1": phrase("Pathology report"),
    "11504-8": phrase("Note about an operation"),
    "34111-5": phrase("Emergency room note"),
}
"""US Core clinical-notes guidance: the ten types, LOINC codes."""

OTHER_DOCUMENTS: dict[str, Phrase] = {
    "34133-9": phrase("Summary of your care"),
    "51969-4": phrase("Gene test report"),
    "51851-4": phrase("Note from the office"),
    "57133-1": phrase("Referral note"),
    "18761-7": phrase("Note about a move to another place of care"),
    "60591-5": phrase("Summary of your health"),
    "51845-6": phrase("Note from an outpatient visit"),
    "64290-0": phrase("Insurance card"),
}

_DOCUMENT_NAMES = {**NOTE_TYPES, **OTHER_DOCUMENTS}

A_DOCUMENT = phrase("A document")


def note_name(concept: object) -> Phrase | None:
    """The plain name of a document's type, None when we have none."""
    known = (_DOCUMENT_NAMES.get(coding.code) for coding in codings(concept))
    return next((name for name in known if name is not None), None)


@dataclass(frozen=True)
class Attachment:
    """One file of an entry.

    `where` is its URL as given (None for data inside the entry); `index` its place among the entry's attachments;
    `file_name` is safe to offer for saving. `size` in bytes and `sha1` (base64) as the provider promised;
    `problems` (size-differs, hash-differs, unreadable) are known at once for a file that is inside the entry.
    """

    index: int
    title: str
    content_type: str
    file_name: str
    where: str | None
    inline: bool
    size: int | None
    sha1: str | None
    format: str
    problems: tuple[str, ...] = ()


_ENDINGS = {
    "application/pdf": ".pdf", "text/plain": ".txt", "text/html": ".html", "text/rtf": ".rtf",
    "application/rtf": ".rtf", "application/xml": ".xml", "text/xml": ".xml", "application/hl7-cda+xml": ".xml",
    "image/jpeg": ".jpg", "image/png": ".png", "image/tiff": ".tif", "application/dicom": ".dcm",
    "application/json": ".json", "application/fhir+json": ".json", "application/fhir+xml": ".xml",
}  # fmt: skip


def attachments(resource: Resource) -> tuple[Attachment, ...]:
    """The files of a DocumentReference, DiagnosticReport or Media, the same URL once only. Never raises."""
    shown: set[str] = set()
    result = []
    for index, (one, form) in enumerate(_elements(resource)):
        where = text(one.get("url")) or None
        if where is not None and where in shown:
            continue
        shown.add(where or "")
        result.append(_attachment(index, one, form, where))
    return tuple(result)


def _elements(resource: Resource) -> list[tuple[dict[str, object], str]]:
    found: list[tuple[dict[str, object], str]] = []
    for content in objects(resource.get("content")):
        form = text(obj(content.get("format")).get("code"))
        found += [(one, form) for one in objects(content.get("attachment"))]
        if "contentType" in content:
            found.append((content, ""))
    return found + [(one, "") for one in objects(resource.get("presentedForm"))]


def _attachment(index: int, one: dict[str, object], form: str, where: str | None) -> Attachment:
    size = one.get("size")
    content_type = text(one.get("contentType")).split(";")[0].lower()
    title = text(one.get("title"))
    return Attachment(
        index=index,
        title=title,
        content_type=content_type,
        file_name=safe_file_name(title, content_type, f"document-{index + 1}"),
        where=where,
        inline=isinstance(one.get("data"), str),
        size=size if isinstance(size, int) and not isinstance(size, bool) else None,
        sha1=text(one.get("hash")) or None,
        format=form,
        problems=_inline_problems(one),
    )


def _inline_problems(one: dict[str, object]) -> tuple[str, ...]:
    if not isinstance(one.get("data"), str):
        return ()
    body, size = inline_data(one), one.get("size")
    if body is None:
        return ("unreadable",)
    promised = size if isinstance(size, int) and not isinstance(size, bool) else None
    return problems_of(body, promised, text(one.get("hash")) or None)


def safe_file_name(title: str, content_type: str, otherwise: str) -> str:
    """A file name without folders, control or reserved characters, its ending from the content type, not the title."""
    last = re.split(r"[/\\]", title)[-1]
    stem = re.sub(r"\.[A-Za-z0-9]{1,8}$", "", last)
    stem = re.sub(r"[^\w \-]", "", stem, flags=re.UNICODE).strip(" .-_")[:80]
    return (stem or otherwise) + _ENDINGS.get(content_type, ".bin")
