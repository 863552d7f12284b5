"""A clinical document (HL7 CDA R2, C-CDA 2.1) as words to read: who wrote it, and each section's own text (DL-04).

The coded entries beside the words are passed over unread: the same facts come as FHIR. Nothing is fetched, no DTD and
no entity is taken in, and size, depth and number of elements are bounded while the document is read (FHIR-14).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.ElementTree import DefusedXMLParser

from fhir_bridge.reading.cda_narrative import CDA, LONGEST_SECTION, narrative, words_of
from fhir_bridge.reading.dates import FhirDate, read_date
from fhir_bridge.reading.said import Said
from vocabulary.phrase import Phrase, phrase

LARGEST, DEEPEST, MOST_ELEMENTS, MOST_SECTIONS = 10_000_000, 100, 300_000, 400
LONGEST_SHOWN = 1_500_000
_HEAD = 4096

DAMAGED = phrase("We cannot show this document. It is damaged, or it is not in the form that it says it is.")
TOO_LARGE = phrase("This document is too large to show here.")
_A_PART = phrase("A part without a name")
_A_DOCUMENT = phrase("A document")

_NOT_XML = ("application/xhtml+xml", "application/fhir+xml", "image/svg+xml")
_STAMP = re.compile(r"(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d)(\d\d)?(?:\.\d+)?([+-]\d\d)(\d\d))?", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}", re.ASCII)


class NotShown(Exception):
    """The document cannot be shown; `words` say why."""

    def __init__(self, words: Phrase) -> None:
        super().__init__(words.msgid)
        self.words = words


@dataclass(frozen=True)
class Section:
    """One section: `level` 1 for those of the document itself, 2 for those inside another; `html` is safe."""

    title: Said
    level: int
    html: str


@dataclass(frozen=True)
class ClinicalDocument:
    """What a person reads of a document. `about` and `born` are the patient that it names; `inside` is the kind of file
    that stands in the place of sections (CDA's nonXMLBody). `cut`: more stands in the file than here; `pictures`: some
    belong to it, which are only in the file. `language` is the document's own (BCP 47)."""

    title: Said
    written: FhirDate | None
    about: str
    born: FhirDate | None
    authors: tuple[str, ...]
    keeper: str
    language: str
    sections: tuple[Section, ...]
    inside: str
    cut: bool
    pictures: bool


def is_clinical_document(content_type: str, body: bytes) -> bool:
    """Whether a file looks like a CDA document: told by how it begins, for its declared type is often a general one."""
    if content_type in _NOT_XML or not ("xml" in content_type or content_type in ("", "application/octet-stream")):
        return False
    return b"ClinicalDocument" in body[:_HEAD].replace(b"\0", b"")


def read_clinical_document(body: bytes) -> ClinicalDocument:
    """The document. NotShown when it is damaged, of another form, too large, or uses what is not taken in."""
    root = _tree(body)
    if root.tag != f"{CDA}ClinicalDocument":
        raise NotShown(DAMAGED)
    sections, cut, pictures = _sections(root)
    other = root.find(f"{CDA}component/{CDA}nonXMLBody/{CDA}text")
    patient = root.find(f"{CDA}recordTarget/{CDA}patientRole/{CDA}patient")
    language = _code(root, "languageCode", "code")
    return ClinicalDocument(
        title=_first(root, "title") or _code(root, "code", "displayName") or _A_DOCUMENT,
        written=_stamp(root, "effectiveTime"),
        about=_first(patient, "name"),
        born=_stamp(patient, "birthTime"),
        authors=tuple(dict.fromkeys(_authors(root)))[:10],
        keeper=_first(root, "custodian/assignedCustodian/representedCustodianOrganization/name"),
        language=language if _LANGUAGE.fullmatch(language) else "en",
        sections=sections,
        inside="" if other is None else words_of(other.get("mediaType", "")) or "?",
        cut=cut,
        pictures=pictures,
    )


class _Bounded:
    """Builds the tree without the coded entries, and stops at once where a document is deeper or longer than any is."""

    def __init__(self) -> None:
        self._builder = TreeBuilder()
        self._depth = self._elements = self._passing = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > DEEPEST or self._elements > MOST_ELEMENTS:
            raise NotShown(TOO_LARGE)
        if self._passing or tag == f"{CDA}entry":
            self._passing = self._passing or self._depth
        else:
            self._builder.start(tag, attributes)

    def end(self, tag: str) -> None:
        if not self._passing:
            self._builder.end(tag)
        elif self._passing == self._depth:
            self._passing = 0
        self._depth -= 1

    def data(self, words: str) -> None:
        if not self._passing:
            self._builder.data(words)

    def close(self) -> Element:
        return self._builder.close()


def _tree(body: bytes) -> Element:
    if len(body) > LARGEST:
        raise NotShown(TOO_LARGE)
    parser = DefusedXMLParser(target=_Bounded(), forbid_dtd=True, forbid_entities=True, forbid_external=True)
    try:
        parser.feed(body)
        root = parser.close()
    except (ParseError, ValueError, LookupError, AssertionError) as problem:  # bad XML; a DTD; an unknown encoding
        raise NotShown(DAMAGED) from problem
    assert isinstance(root, Element)
    return root


def _sections(root: Element) -> tuple[tuple[Section, ...], bool, bool]:
    """The sections in order, whether something was cut, and whether there are pictures."""
    found: list[Section] = []
    room, cut, pictures = LONGEST_SHOWN, False, False
    for element, level in _within(root.find(f"{CDA}component/{CDA}structuredBody"), 1):
        if len(found) == MOST_SECTIONS or room <= 0:
            return tuple(found), True, pictures
        told = narrative(element.find(f"{CDA}text"), min(room, LONGEST_SECTION))
        room, cut, pictures = room - len(told.html), cut or told.cut, pictures or told.pictures
        title = _first(element, "title") or _code(element, "code", "displayName")
        if title or told.html:
            found.append(Section(title or _A_PART, min(level, 2), told.html))
    return tuple(found), cut, pictures


def _within(element: Element | None, level: int) -> Iterator[tuple[Element, int]]:
    """Each section and those inside it; the tree is no deeper than DEEPEST."""
    for section in [] if element is None else element.findall(f"{CDA}component/{CDA}section"):
        yield section, level
        yield from _within(section, level + 1)


def _authors(root: Element) -> Iterator[str]:
    for one in root.findall(f"{CDA}author/{CDA}assignedAuthor"):
        for path in ("assignedPerson/name", "assignedAuthoringDevice/softwareName", "representedOrganization/name"):
            if name := _first(one, path):
                yield name
                break


def _first(element: Element | None, path: str) -> str:
    """The words of the first element at `path`, empty when there is none."""
    found = None if element is None else element.find("/".join(CDA + name for name in path.split("/")))
    return "" if found is None else words_of(" ".join(found.itertext()))


def _code(element: Element, name: str, attribute: str) -> str:
    found = element.find(CDA + name)
    return "" if found is None else words_of(found.get(attribute, ""))


def _stamp(element: Element | None, name: str) -> FhirDate | None:
    """A CDA time stamp (YYYYMMDDHHMMSS+ZZZZ, shortened from the right) as exact as it stands; a time of day without an
    offset is left out."""
    value = "" if element is None else _code(element, name, "value")
    match = _STAMP.match(value)
    if match is None:
        return None
    year, month, day, hour, minute, second, zone, more = match.groups()
    days = "-".join(part for part in (year, month, day) if part)
    clock = f"T{hour}:{minute}:{second or '00'}{zone}:{more}" if day and hour else ""
    return read_date(days + clock)
