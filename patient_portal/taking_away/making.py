"""A person's record in each form in which it can be taken along, made at once or by a worker (DL-01 to DL-05)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy.orm import Session

from database.context import as_persons
from fhir_bridge.bundle import MEDIA_TYPE, as_bundle
from fhir_bridge.export import jobs
from fhir_bridge.export.archive import zipped
from fhir_bridge.export.copy_facts import CopyFacts, facts_of
from fhir_bridge.export.ips import ips_document
from fhir_bridge.export.mcode import mcode_bundle
from fhir_bridge.export.ndjson import ndjson_files
from fhir_bridge.export.one_patient import subsetted
from fhir_bridge.export.plain_text import text_pieces
from fhir_bridge.export.spreadsheet import csv_files
from fhir_bridge.reading.summary_model import CancerSummary
from fhir_bridge.record import OwnRecord
from fhir_bridge.record_copy import Copied, Pinned, Wanted, copied, medications, pin
from fhir_bridge.record_sources import standing
from patient_portal.family.own_care import own_reading
from patient_portal.papers.record_paper import record_paper
from patient_portal.papers.typesetting import pdf_of
from patient_portal.taking_away.transfer_pack import pack_files
from patient_portal.wiring import Wiring
from patient_portal.words.speaking import speaker
from vocabulary.phrase import Phrase, phrase


class Form(StrEnum):
    PDF = "pdf"
    TEXT = "text"
    CSV = "csv"
    BUNDLE = "fhir-bundle"
    NDJSON = "ndjson"
    IPS = "ips"
    MCODE = "mcode"
    PACK = "transfer-pack"


FILES: dict[Form, tuple[str, str]] = {
    Form.PDF: ("application/pdf", "my-record.pdf"),
    Form.TEXT: ("text/plain; charset=utf-8", "my-record.txt"),
    Form.CSV: ("application/zip", "my-record-tables.zip"),
    Form.BUNDLE: (MEDIA_TYPE, "my-record.json"),
    Form.NDJSON: ("application/zip", "my-record-ndjson.zip"),
    Form.IPS: (MEDIA_TYPE, "my-summary.json"),
    Form.MCODE: (MEDIA_TYPE, "my-cancer-record.json"),
    Form.PACK: ("application/zip", "my-transfer-pack.zip"),
}
"""Media type and file name; a name tells nothing of whose it is or what they have."""

NAMES: dict[Form, tuple[Phrase, Phrase]] = {
    Form.PDF: (phrase("PDF to read or print"), phrase("Your record in plain words, with the clinical names beside.")),
    Form.TEXT: (phrase("Plain text"), phrase("The same words in a file that any device opens.")),
    Form.CSV: (phrase("Tables for a spreadsheet"), phrase("One table for each kind, such as test results.")),
    Form.BUNDLE: (
        phrase("FHIR Bundle for another hospital or app"),
        phrase("Each entry exactly as your hospital sent it."),
    ),
    Form.NDJSON: (phrase("FHIR in lines (NDJSON)"), phrase("The same entries, for programs that read long records.")),
    Form.IPS: (
        phrase("Short summary (IPS)"),
        phrase("Problems, allergies, medicines and newest results, for any country."),
    ),
    Form.MCODE: (phrase("Cancer data (mCODE)"), phrase("Only the cancer part, for research and cancer programs.")),
    Form.PACK: (
        phrase("Everything for a new doctor"),
        phrase("The PDF, the FHIR Bundle and your attached files together."),
    ),
}
AT_ONCE: dict[Form, int] = {Form.PDF: 1000, Form.PACK: 1000}
OTHERWISE = 4000
"""The most entries of which a copy is made while the browser waits; more, and a worker makes it."""
EVERY = 500


@dataclass(frozen=True)
class Copy:
    """One moment of a record, ready to be written in any form."""

    wiring: Wiring
    pinned: Pinned
    facts: CopyFacts
    stories: tuple[CancerSummary, ...]
    read: Callable[[int], None]

    @property
    def total(self) -> int:
        return len(self.pinned.versions)

    def by_type(self) -> Iterator[Copied]:
        return self._entries(self.pinned)

    def by_kind(self) -> Iterator[Copied]:
        return self._entries(self.pinned.by_kind())

    def _entries(self, pinned: Pinned) -> Iterator[Copied]:
        bases = {one.id: one.fhir_base_url for one in self.wiring.settings.providers}
        found = copied(self.wiring.database, self.wiring.keyring, pinned, bases)
        for number, one in enumerate(found, start=1):
            if number % EVERY == 0:
                self.read(number)
            yield one


def open_copy(
    session: Session, wiring: Wiring, persons: tuple[UUID, ...], form: Form, wanted: Wanted, *, language: str,
    now: datetime, read: Callable[[int], None] = lambda _count: None, apart: bool = False,
) -> Copy:  # fmt: skip
    """Pin what the record holds now, with what is known of it, inside one transaction.

    `apart`: what a minor keeps to themselves is not read in this transaction, and the copy says so.
    """
    record = OwnRecord(session, wiring.keyring, persons)
    found, pinned = standing(record, now), pin(record, wanted)
    names = {one.id: one.name for one in wiring.settings.providers}
    with_files = form is Form.PACK or not pinned.files
    facts = facts_of(found.sources, names, made_at=now, language=language, wanted=wanted, with_files=with_files,
                     apart=apart)  # fmt: skip
    return Copy(wiring, pinned, facts, found.stories, read)


def is_small(copy: Copy, form: Form) -> bool:
    return copy.total <= AT_ONCE.get(form, OTHERWISE)


def pieces(copy: Copy, form: Form) -> Iterable[bytes]:
    """The file, piece by piece where its form allows."""
    say, facts = speaker(copy.facts.language), copy.facts
    match form:
        case Form.BUNDLE:
            return bundle_pieces(copy)
        case Form.NDJSON:
            return zipped(ndjson_files(copy.by_type(), facts, say), facts.made_at)
        case Form.CSV:
            return zipped(csv_files(copy.by_kind(), _medicines(copy), facts, say), facts.made_at)
        case Form.TEXT:
            return text_pieces(copy.by_kind(), _medicines(copy), facts, say)
        case Form.IPS:
            return _written(orjson.dumps(ips_document(copy.by_type(), facts, say)))
        case Form.MCODE:
            return _written(orjson.dumps(mcode_bundle(copy.by_type(), facts, say)))
        case Form.PDF:
            return _written(pdf(copy))
        case Form.PACK:
            files = pack_files(copy.wiring, copy.pinned, facts, say, pdf=lambda: pdf(copy), bundle=bundle_pieces(copy))
            return zipped(files, facts.made_at)


def bundle_pieces(copy: Copy) -> Iterator[bytes]:
    """The FHIR Bundle, every resource as received; a mark on the Bundle says that it is not all, and why."""
    mark = subsetted(copy.facts, speaker(copy.facts.language))
    head = {"meta": mark} if mark else {}
    made = copy.facts.made_at.isoformat(timespec="seconds")
    return as_bundle(
        ((one.base, one.raw) if one.base else one.raw for one in copy.by_type()), head=head | {"timestamp": made}
    )


def pdf(copy: Copy) -> bytes:
    """The record as a tagged PDF."""
    say = speaker(copy.facts.language)
    return pdf_of(record_paper(copy.by_kind(), _medicines(copy), copy.facts, copy.stories, say))


def make_copy(wiring: Wiring, person: UUID, job: UUID, now: datetime) -> None:
    """Make a copy that was asked for, as a worker; done again it begins anew. Nothing when it is gone or made."""
    with wiring.database.begin(as_persons(person)) as session:
        found = [one for one in jobs.copies_of(session, person, now) if one.id == job and one.state != jobs.READY]
    for asked in found:
        form = Form(asked.form)

        def note(count: int, asked: jobs.AskedCopy = asked) -> None:
            jobs.note_progress(wiring.database, asked, count, asked.total)

        here = now.astimezone(ZoneInfo(wiring.settings.time_zone))
        with own_reading(wiring, as_persons(*asked.persons), apart=asked.apart) as session:
            copy = open_copy(
                session, wiring, asked.persons, form, asked.wanted, language=asked.language, now=here, read=note,
                apart=asked.apart,
            )  # fmt: skip
            jobs.start(session, job, copy.pinned.retrievals, copy.total)
        jobs.keep(wiring.database, wiring.keyring, asked, pieces(copy, form))


def _written(whole: bytes) -> Iterator[bytes]:
    yield whole


def _medicines(copy: Copy) -> dict[tuple[str, str], dict[str, object]]:
    return medications(copy.wiring.database, copy.wiring.keyring, copy.pinned)
