"""Exactly what would leave, beside the original, before anything is signed: by the rules that build the delivery."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson
from sqlalchemy.orm import Session

from database.keyring import KeyRing
from fhir_bridge.person_ciphers import cipher_of
from fhir_bridge.reading.dates import date_of
from fhir_bridge.reading.kinds import Kind, kind_of
from fhir_bridge.reading.line import LineView, read_line, sort_date
from fhir_bridge.reading.titles import medication_reference
from research.deidentify.delivery import Source
from research.record_pin import PinnedRecord, pin_record, pinned_sources
from research.selection import Chosen, Leaving, Stays, select
from vocabulary.resource import Resource

PAGE_SIZE = 10
MOST = 6_000
# Who one is and what one has come first; the many test results do not stand in their way.
FIRST = (Kind.ABOUT_YOU, Kind.PROBLEMS, Kind.GENOMICS, Kind.MEDICINES, Kind.PROCEDURES)
ORDER: Mapping[Kind, int] = {kind: place for place, kind in enumerate(dict.fromkeys((*FIRST, *Kind)))}


@dataclass(frozen=True)
class PreviewItem:
    """One entry: the line a person knows it by, from which hospital, and the JSON that leaves, indented."""

    kind: Kind
    original: LineView
    provider_id: str
    leaves: str


@dataclass(frozen=True)
class Preview:
    """What would leave. `counts` by kind, `stays` by reason, of everything read; `items` are one page of what leaves,
    kind after kind, newest first, and of one kind only where that was asked for (`pages` are then that kind's).

    `cut`: the record is longer than is read for a preview, so that the counts are of its first part.
    """

    items: tuple[PreviewItem, ...]
    page: int
    pages: int
    total: int
    counts: Mapping[Kind, int]
    stays: Mapping[Stays, int]
    cut: bool


def preview(
    session: Session,
    ring: KeyRing,
    persons: Sequence[UUID],
    chosen: Chosen,
    *,
    this_year: int,
    page: int = 1,
    kind: Kind | None = None,
) -> Preview:
    """The preview for a person and those linked to them, each built as their own delivery would be.

    The ids shown are made for the preview; each delivery makes its own.
    """
    fates: list[Leaving] = []
    cut = False
    for person in persons:
        sources, shortened = _sources(session, ring, person)
        cut = cut or shortened
        fates += select(sources, chosen, secrets.token_bytes(16), this_year)
    return page_of(fates, page, kind=kind, cut=cut)


def page_of(fates: Sequence[Leaving], page: int, *, kind: Kind | None = None, cut: bool = False) -> Preview:
    """One page of what leaves, and the counts of all. Pure. A page past the end is the last one."""
    leaving = [(kind_of(fate.resource), fate) for fate in fates if fate.line is not None]
    counts = Counter(each for each, _ in leaving)
    newest_first = sorted(leaving, key=lambda pair: sort_date(date_of(pair[1].resource)), reverse=True)
    listed = [fate for each, fate in sorted(newest_first, key=lambda pair: ORDER[pair[0]]) if kind in (None, each)]
    pages = max(1, -(-len(listed) // PAGE_SIZE))
    page = min(max(page, 1), pages)
    medicines = {_key(fate): fate.resource for fate in fates if fate.source.type == "Medication"}
    shown = listed[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    return Preview(
        items=tuple(_item(fate, medicines) for fate in shown),
        page=page,
        pages=pages,
        total=len(leaving),
        counts={each: counts[each] for each in sorted(counts, key=ORDER.__getitem__)},
        stays=Counter(fate.stays for fate in fates if fate.stays is not None),
        cut=cut,
    )


def _sources(session: Session, ring: KeyRing, person: UUID) -> tuple[list[Source], bool]:
    pinned = pin_record(session, person)
    if not pinned.versions:
        return [], False
    first = PinnedRecord(person, pinned.versions[:MOST], pinned.retrievals)
    return list(pinned_sources(session, cipher_of(session, ring, person), first)), len(pinned.versions) > MOST


def _key(fate: Leaving) -> tuple[str, str]:
    return fate.source.source, fate.source.id


def _item(fate: Leaving, medicines: Mapping[tuple[str, str], Resource]) -> PreviewItem:
    assert fate.line is not None, "only what leaves is shown"
    reference = medication_reference(fate.resource) or ""
    medicine = medicines.get((fate.source.source, reference.rpartition("/")[2]))
    return PreviewItem(
        kind_of(fate.resource),
        read_line(fate.resource, medicine),
        fate.source.source,
        orjson.dumps(orjson.loads(fate.line), option=orjson.OPT_INDENT_2).decode(),
    )
