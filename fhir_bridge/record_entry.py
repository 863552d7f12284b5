"""One entry with what stands beside it in the record: what it refers to, and its attached files (FHIR-11, FHIR-12)."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from fhir_bridge.reading.clinical_document import is_clinical_document
from fhir_bridge.reading.entry import EntryView, read_entry
from fhir_bridge.reading.narrative import safe_html
from fhir_bridge.reading.notes import Attachment, attachments, safe_file_name
from fhir_bridge.reading.promises import inline_data, problems_of
from fhir_bridge.reading.said import Said
from fhir_bridge.reading.shape import key_of, objects, references, same_thing
from fhir_bridge.reading.source import written_by
from fhir_bridge.record import OwnRecord, StoredEntry
from fhir_bridge.retrieve.paging import absolute
from fhir_bridge.retrieve.run import FILE_TYPE
from vocabulary.errors import NotFound
from vocabulary.phrase import Phrase, phrase
from vocabulary.resource import Resource

LONGEST_SHOWN = 100_000

_MISSING = {
    "too-large": phrase("This file is too large for us to keep. Ask your hospital for it."),
    "not-authorized": phrase("Your hospital does not let us get this file."),
    "not-there": phrase("Your hospital says that this file is not there."),
    "too-many": phrase("There were too many files to bring in all of them."),
}
_NOT_BROUGHT = phrase("We could not get this file. You can try again.")
_PROBLEMS = {
    "size-differs": phrase("Its size is not what your hospital said. It may be damaged."),
    "hash-differs": phrase("Its content is not what your hospital said. It may be damaged or changed."),
}


@dataclass(frozen=True)
class KeptFile:
    """An attached file. `body` is None when it is not in the record, and `notes` then say why.

    `file_name` names nobody and no illness; `shown` is the text of a plain text file, cut at LONGEST_SHOWN characters.
    `shown_with`: the entry that shows it, where that is another one (FHIR-12).
    """

    attachment: Attachment
    body: bytes | None
    content_type: str
    notes: tuple[Phrase, ...]
    shown_with: UUID | None = None

    @property
    def file_name(self) -> str:
        return safe_file_name("", self.content_type, f"document-{self.attachment.index + 1}")

    @property
    def shown(self) -> str:
        return self._decoded() if self.content_type == "text/plain" else ""

    @property
    def shown_html(self) -> str:
        """A web page as safe HTML: structure only, no links, images, styles or scripts."""
        return (
            _as_part(safe_html(self._decoded())) if self.content_type in ("text/html", "application/xhtml+xml") else ""
        )

    @property
    def is_document(self) -> bool:
        """Whether it is a clinical document (C-CDA), which has a page of its own."""
        return self.body is not None and is_clinical_document(self.content_type, self.body)

    def _decoded(self) -> str:
        return (self.body or b"")[: 4 * LONGEST_SHOWN].decode("utf-8", "replace")[:LONGEST_SHOWN]


@dataclass(frozen=True)
class WholeEntry:
    """Everything the page of one entry needs. `written_by`: who wrote or sent it, as its Provenance says (FHIR-08)."""

    stored: StoredEntry
    view: EntryView
    files: tuple[KeptFile, ...]
    written_by: tuple[Said, ...] = ()

    @property
    def narrative(self) -> str:
        return _as_part(self.view.narrative)


def whole_entry(record: OwnRecord, stored: StoredEntry, base: str | None) -> WholeEntry:
    """The entry read strictly, then leniently, with its references resolved and its files, in one query.

    `base` is the provider's FHIR base, None when the provider is no longer configured.
    """
    resource = stored.resource
    links = {one.where: absolute(base, one.where) for one in attachments(resource) if one.where and base}
    wanted = [(stored, FILE_TYPE, url) for url in links.values() if url]
    wanted += [(stored, *name) for name in _names_in(resource)]
    found = record.named(wanted, origin_of=stored)

    def get(kind: str, identity: str) -> Resource | None:
        return found.get((stored.person, f"{stored.provider_id}/{kind}", identity))

    def resolve(reference: str) -> Resource | None:
        kind, _, identity = key_of(reference).partition("/")
        return get(kind, identity)

    view = read_entry(resource, resolve)
    files = tuple(
        _inline(resource, one)
        if one.inline
        else _elsewhere(record, stored, view.key, one, get(FILE_TYPE, links.get(one.where or "") or ""))
        for one in view.attachments
    )
    spoken = (one for (_, of, _), one in found.items() if of == f"{stored.provider_id}/Provenance")
    origins = [one for one in spoken if any(same_thing(target, view.key) for target in references(one.get("target")))]
    return WholeEntry(stored, view, files, written_by(origins, resolve))


def one_file(record: OwnRecord, stored: StoredEntry, index: int, base: str | None) -> KeptFile:
    """The file at `index` of an entry, as bytes; NotFound when the entry has none there or it was not had."""
    resource = stored.resource
    for one in attachments(resource):
        if one.index == index:
            url = absolute(base, one.where) if base and one.where else None
            found = record.named([(stored, FILE_TYPE, url)] if url and not one.inline else [])
            kept = _inline(resource, one) if one.inline else _kept(one, next(iter(found.values()), None))
            if kept.body is not None:
                return kept
    raise NotFound("file")


def _elsewhere(record: OwnRecord, stored: StoredEntry, key: str, one: Attachment, kept: Resource | None) -> KeptFile:
    """A file that stands in a report and in a document is shown once, with the document, while that is there."""
    owner = str((kept or {}).get("owner") or key)
    with_what = None if same_thing(owner, key) else record.entry_beside(stored, owner)
    return replace(_kept(one, kept), shown_with=with_what)


def _kept(one: Attachment, kept: Resource | None) -> KeptFile:
    if kept is None:
        return KeptFile(one, None, one.content_type, (_NOT_BROUGHT,))
    content_type = str(kept.get("contentType") or one.content_type).split(";")[0].strip().lower()
    missing, data = kept.get("missing"), kept.get("data")
    if missing or not isinstance(data, str):
        return KeptFile(one, None, content_type, (_MISSING.get(str(missing), _NOT_BROUGHT),))
    problems = kept.get("problems")
    notes = tuple(_PROBLEMS[name] for name in (problems if isinstance(problems, list) else []) if name in _PROBLEMS)
    return KeptFile(one, base64.b64decode(data), content_type, notes)


def _inline(resource: Resource, one: Attachment) -> KeptFile:
    body = inline_data(_elements(resource)[one.index])
    if body is None:
        return KeptFile(one, None, one.content_type, (phrase("This file cannot be read."),))
    problems = problems_of(body, one.size, one.sha1)
    return KeptFile(one, body, one.content_type, tuple(_PROBLEMS[name] for name in problems if name in _PROBLEMS))


def _as_part(html: str) -> str:
    """Safe HTML as a part of a page that has its own headings: all of its headings are small ones."""
    return re.sub(r"<(/?)h[1-6]", r"<\1h3", html)


def _elements(resource: Resource) -> list[dict[str, Any]]:
    """The attachment elements in the order in which `reading.notes.attachments` counts them."""
    found: list[dict[str, Any]] = []
    for content in objects(resource.get("content")):
        found += objects(content.get("attachment"))
        found += [content] if "contentType" in content else []
    return found + objects(resource.get("presentedForm"))


def _names_in(resource: Resource) -> set[tuple[str, str]]:
    """(type, id) of every reference inside; contained ones and those by urn are left out."""
    found: set[tuple[str, str]] = set()
    waiting: list[Any] = [resource]
    for _step in range(100_000):
        if not waiting:
            break
        value = waiting.pop()
        if isinstance(value, dict):
            reference = value.get("reference")
            if isinstance(reference, str) and not reference.startswith(("#", "urn:")):
                kind, slash, identity = key_of(reference).partition("/")
                found |= {(kind, identity)} if slash and identity else set()
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return set(sorted(found)[:500])
