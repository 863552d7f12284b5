"""The lists of a record: one kind, newest first, a page at a time, of some days, and by words (FHIR-18).

What stands in an entry is sealed, so the database cannot look for words. Tests are found by what was measured: each
test has one keyed index, so the names of all tests are known by opening one entry of each. Everything else is opened,
newest first, WINDOW entries at a time: a list says how far it looked, and goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from fhir_bridge.named_in_entry import code_of
from fhir_bridge.reading.delicate import Delicate
from fhir_bridge.reading.kinds import TYPES_OF_KIND, Kind
from fhir_bridge.reading.line import LineView, read_line
from fhir_bridge.reading.said import Said
from fhir_bridge.reading.same import Folded, folded
from fhir_bridge.reading.shape import codings, key_of
from fhir_bridge.reading.titles import medication_reference
from fhir_bridge.record import OwnRecord, StoredEntry
from fhir_bridge.record_aside import Aside, aside, aside_from, asked_beside
from fhir_bridge.record_page_statement import COUNTED_BEFOREHAND, COUNTED_NOW, page_statement
from fhir_bridge.tables import RecordEntry
from vocabulary import plain_text
from vocabulary.resource import Resource

PAGE_SIZE = 25
MOST_BESIDE = 500
MOST_TESTS = 500
WINDOW = 1000
A_DAY = timedelta(days=1)
NO_CODE = bytes(32)
Say = Callable[[Said], str]

# Each test of a person once: the next index after the last, one look into the index of tests for each.
_TESTS = text(
    "WITH RECURSIVE seen AS ("
    " SELECT p.id AS person_id, (SELECT r.code_index FROM record_entry r WHERE r.person_id = p.id"
    "  AND r.code_index > :none ORDER BY r.code_index LIMIT 1) AS code FROM unnest(CAST(:persons AS uuid[])) p (id)"
    " UNION ALL SELECT s.person_id, (SELECT r.code_index FROM record_entry r WHERE r.person_id = s.person_id"
    "  AND r.code_index > s.code ORDER BY r.code_index LIMIT 1) FROM seen s WHERE s.code IS NOT NULL)"
    " SELECT e.id, e.person_id, e.provider_id, e.type, e.kind, e.fhir_id_index, e.retrieval_id, e.code_index,"
    " e.clinical_date, v.content_sealed, v.received_at, k.wrapped"
    " FROM (SELECT * FROM seen WHERE code IS NOT NULL LIMIT :most) t"
    " CROSS JOIN LATERAL (SELECT * FROM record_entry r WHERE r.person_id = t.person_id AND r.code_index = t.code"
    "  AND NOT r.mistake ORDER BY r.clinical_date DESC, r.id DESC LIMIT 1) e"
    " CROSS JOIN LATERAL (SELECT * FROM resource_version r WHERE r.id = e.version_id LIMIT 1) v"
    " JOIN person_key k ON k.person_id = e.person_id WHERE e.person_id = ANY (:persons)"
)


@dataclass(frozen=True)
class Asked:
    """Which list: entries of `kind`, of these days (both inclusive, `YYYY-MM-DD` or empty), in which each word of
    `words` stands, older or newer than the entry named (keyset paging)."""

    kind: Kind
    since: str = ""
    until: str = ""
    words: str = ""
    older_than: UUID | None = None
    newer_than: UUID | None = None

    @property
    def narrows(self) -> bool:
        return bool(self.since or self.until or self.words)


@dataclass(frozen=True)
class ListedEntry:
    """One line of a list and where it came from."""

    id: UUID
    provider_id: str
    line: LineView


@dataclass(frozen=True)
class EachTest:
    """A test of the record: its newest result, of which `resource` is the whole, and its keyed indexes (the same test
    has one for each person whose records were joined)."""

    listed: ListedEntry
    resource: Resource
    indexes: tuple[bytes, ...]


@dataclass(frozen=True)
class EntryPage:
    """A page of a list, newest first. `total` counts the whole kind without `withdrawn`, which the hospital marked as
    mistakes: they stand in the list, struck out. `groups` are the entries with those alike from other hospitals under
    them, wherever in the kind those stand; what stands under an entry of another page is in no group of this one.

    `newer` and `older` are the entries to page from, None where nothing is there. `stopped`: words were asked for, and
    the entries after `older` were not looked at, though this page is not full.
    """

    entries: tuple[ListedEntry, ...]
    groups: tuple[Folded[ListedEntry], ...]
    total: int
    withdrawn: int
    newer: UUID | None
    older: UUID | None
    stopped: bool = False


def page_of(record: OwnRecord, asked: Asked, now: datetime) -> tuple[EntryPage, Aside]:
    """Up to PAGE_SIZE entries and what a page needs beside them. Two queries: the entries, and what is told alike by
    another hospital or names a medicine."""
    found = _paged(record, asked, now)
    beside = aside_from(record, now, found[0].beside) if found else aside(record, now)
    medicines, backwards = asked.kind is Kind.MEDICINES, asked.newer_than is not None
    rows = [row for row in found if row.here] if medicines else found
    more, rows, others = len(rows) > PAGE_SIZE, rows[:PAGE_SIZE], [*rows[PAGE_SIZE:], *found[len(rows) :]]
    rows = rows[::-1] if backwards else rows
    if beside.several and rows and not medicines:
        others = list(_of_the_same_days(record, asked.kind, rows))
    lines, groups = _read(record, rows, others if beside.several else [], beside.own.later)
    has_newer = more if backwards else asked.older_than is not None
    has_older = bool(rows) if backwards else more
    total, withdrawn = (int(rows[0].total), int(rows[0].withdrawn)) if rows else (0, 0)
    newer, older = (rows[0].id, rows[-1].id) if rows else (None, None)
    page = EntryPage(lines, groups, total, withdrawn, newer if has_newer else None, older if has_older else None)
    return page, beside


def found_in(record: OwnRecord, asked: Asked, say: Say, now: datetime) -> tuple[EntryPage, Aside]:
    """Up to PAGE_SIZE entries in which the words stand, out of the next WINDOW, and what a page needs beside them;
    `older` is where looking goes on. Two queries: the names of tests or medicines, and the entries."""
    codes: list[bytes] | None = None
    if "Observation" in TYPES_OF_KIND[asked.kind]:
        tests = every_test(record)
        hit = (one for one in tests if says(one.listed.line, one.resource, asked.words, say))
        named = [index for one in hit for index in one.indexes]
        if sum(len(one.indexes) for one in tests) < MOST_TESTS:
            codes = [*named, NO_CODE]
    *rows, alone = _paged(record, asked, now, codes=codes)
    beside = aside_from(record, now, alone.beside)
    medicines, topics = asked.kind is Kind.MEDICINES, beside.own.later
    opened = [record.opened(row) for row in rows[:WINDOW]]
    lines = _lines(record, opened, topics) if medicines else None
    found: list[ListedEntry] = []
    for place, entry in enumerate(opened):
        one = (
            lines[place] if lines else ListedEntry(entry.id, entry.provider_id, read_line(entry.resource, None, topics))
        )
        if says(one.line, entry.resource, asked.words, say):
            found.append(one)
        if len(found) == PAGE_SIZE:
            break
    looked = place + 1 if opened else 0
    older = opened[looked - 1].id if looked < len(rows) else None
    stopped = older is not None and len(found) < PAGE_SIZE
    return EntryPage(tuple(found), tuple(folded(found)), len(found), 0, None, older, stopped), beside


def every_test(record: OwnRecord, kind: Kind | None = None) -> list[EachTest]:
    """Each test of the record once, by its newest result, MOST_TESTS at most: one query, however long the record is."""
    asked = {"persons": list(record.persons), "none": NO_CODE, "most": MOST_TESTS}
    rows = record.session.execute(_TESTS, asked).all()
    found: dict[str, EachTest] = {}
    for row in sorted(rows, key=lambda one: one.clinical_date, reverse=True):
        if kind is None or row.kind == kind:
            resource = record.opened(row).resource
            name, before = code_of(resource), found.get(code_of(resource))
            listed = before.listed if before else ListedEntry(row.id, row.provider_id, read_line(resource))
            indexes = (*(before.indexes if before else ()), bytes(row.code_index))
            found[name] = EachTest(listed, before.resource if before else resource, indexes)
    return list(found.values())


def says(line: LineView, resource: Resource, words: str, say: Say) -> bool:
    """Whether each word stands in what the list shows of an entry, in its names or in its codes. Pure."""
    told = [say(line.title), str(line.title), line.clinical, say(line.value_text), say(line.status), say(line.source)]
    for name in ("code", "vaccineCode", "type", "medicationCodeableConcept"):
        told += [f"{one.code} {one.display}" for one in codings(resource.get(name))]
    whole = plain_text.folded(" ".join(told))
    return all(word in whole for word in plain_text.folded(words).split())


def _paged(
    record: OwnRecord, asked: Asked, now: datetime, *, codes: Sequence[bytes] | None = None
) -> Sequence[Row[Any]]:
    """The entries of a list, in the order in which a page reads them, one more than a page, or than a window of what is
    looked through for words; of the tests in `codes` only, where they are given. What a page needs beside them stands
    in each row of a page, with the counts, and after a window in a row of its own."""
    mark = asked.newer_than or asked.older_than
    most = WINDOW if asked.words else PAGE_SIZE
    values: dict[str, Any] = {"persons": list(record.persons), "kind": asked.kind.value, "most": most + 1}
    values |= {"since": asked.since} if asked.since else {}
    values |= {"until": f"{asked.until}T99"} if asked.until else {}
    values |= {"mark": mark} if mark is not None else {}
    values |= {"codes": list(codes)} if codes is not None else {}
    counted = "" if asked.words else COUNTED_NOW if record.held_back else COUNTED_BEFOREHAND
    medicines = asked.kind is Kind.MEDICINES and not asked.words
    statement = page_statement(frozenset(values), counted, backwards=asked.newer_than is not None, same_days=medicines)
    values |= {"most_beside": MOST_BESIDE} if medicines else {}
    return record.session.execute(statement, values | asked_beside(record, now)).all()


def _read(
    record: OwnRecord, rows: Sequence[Row[Any]], others: Sequence[Row[Any]], topics: Collection[Delicate]
) -> tuple[tuple[ListedEntry, ...], tuple[Folded[ListedEntry], ...]]:
    """The page's lines, and its groups out of everything that can be alike: `others` are of the same days."""
    lines = _lines(record, [record.opened(row) for row in [*rows, *others]], topics)
    mine = lines[: len(rows)]
    if not others:
        return mine, tuple(folded(mine))
    around = sorted(
        zip([*rows, *others], lines, strict=True), key=lambda pair: (pair[0].clinical_date, pair[0].id), reverse=True
    )
    here = {row.id for row in rows}
    return mine, tuple(group for group in folded([line for _, line in around]) if group.first.id in here)


def _of_the_same_days(record: OwnRecord, kind: Kind, rows: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """Days are compared as they were written and ordered in UTC, so a day before and after is read too."""
    newest, oldest = rows[0].clinical_date, rows[-1].clinical_date
    beside = record.stored().where(
        RecordEntry.kind == kind, RecordEntry.id.not_in([row.id for row in rows]),
        RecordEntry.clinical_date.between(_moved(oldest, -A_DAY), _moved(newest, A_DAY) + "~" if newest else ""),
    )  # fmt: skip
    order = RecordEntry.clinical_date.desc(), RecordEntry.id.desc()
    return record.session.execute(beside.order_by(*order).limit(MOST_BESIDE)).all()


def _lines(record: OwnRecord, entries: Sequence[StoredEntry], topics: Collection[Delicate]) -> tuple[ListedEntry, ...]:
    read = [(entry, entry.resource) for entry in entries]
    wanted = {entry.id: medication_reference(resource) for entry, resource in read}
    keys = {name: key_of(reference).partition("/") for name, reference in wanted.items() if reference}
    found = record.named((entry, keys[entry.id][0], keys[entry.id][2]) for entry, _ in read if entry.id in keys)
    lines = []
    for entry, resource in read:
        kind, _, identity = keys.get(entry.id, ("", "", ""))
        medicine = found.get((entry.person, f"{entry.provider_id}/{kind}", identity))
        lines.append(ListedEntry(entry.id, entry.provider_id, read_line(resource, medicine, topics)))
    return tuple(lines)


def _moved(moment: str, by: timedelta) -> str:
    """The day of a kept clinical date, some days on; an unknown date stays unknown."""
    try:
        return (date.fromisoformat(moment[:10]) + by).isoformat() if moment else ""
    except (ValueError, OverflowError):
        return moment[:10]
