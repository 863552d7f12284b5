"""One table for each kind, for a spreadsheet: RFC 4180 with a byte order mark, without which Excel reads no UTF-8."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from fhir_bridge.export.copy_facts import CopyFacts, Say, day_of, read_me
from fhir_bridge.reading.line import LineView, read_line
from fhir_bridge.reading.shape import codings, key_of, obj, text
from fhir_bridge.reading.titles import medication_reference
from fhir_bridge.record_copy import Copied
from vocabulary.phrase import phrase
from vocabulary.resource import Resource

Medications = Mapping[tuple[str, str], Resource]
COLUMNS = (
    phrase("Date"), phrase("What"), phrase("Clinical name"), phrase("Code"), phrase("Code system"), phrase("Result"),
    phrase("Number"), phrase("Unit"), phrase("Out of range"), phrase("Status"), phrase("Hospital or clinic"),
    phrase("Source"), phrase("Warning"), phrase("Marked as a mistake"), phrase("Entry"),
)  # fmt: skip
_YES = phrase("yes")
_NUMBER = re.compile(r"[-+]?[\d.,]+%?")


def line_of(one: Copied, medications: Medications) -> LineView:
    """The line of one entry, with the name of the medicine it refers to."""
    resource = one.resource
    named = medication_reference(resource)
    return read_line(resource, medications.get((one.provider_id, key_of(named))) if named else None)


def csv_files(
    entries: Iterable[Copied], medications: Medications, facts: CopyFacts, say: Say
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """(name, rows) for each kind, then what the archive holds. Entries come by kind."""
    counts: dict[str, int] = {}

    def rows(kind: str, group: Iterable[Copied]) -> Iterator[bytes]:
        yield b"\xef\xbb\xbf" + _row([say(each) for each in COLUMNS])
        for one in group:
            counts[kind] = counts.get(kind, 0) + 1
            yield _row(_cells(one, medications, facts, say))

    for kind, group in groupby(entries, key=lambda one: one.kind):
        yield f"{kind}.csv", rows(kind, group)
    yield "README.txt", [read_me(facts, say, [f"{kind}.csv: {count}" for kind, count in counts.items()])]


def _cells(one: Copied, medications: Medications, facts: CopyFacts, say: Say) -> list[str]:
    line, resource = line_of(one, medications), one.resource
    codes = codings(resource.get("code")) or codings(resource.get("vaccineCode")) or codings(resource.get("type"))
    quantity = obj(resource.get("valueQuantity"))
    return [
        day_of(line.date), say(line.title), line.clinical, codes[0].code if codes else "",
        codes[0].system if codes else "", say(line.value_text), _plain(quantity.get("value")),
        text(quantity.get("unit")), say(line.flag) if line.flag else "", say(line.status), facts.name(one.provider_id),
        say(line.source), say(line.warning) if line.warning else "", say(_YES) if line.mistake else "", line.key,
    ]  # fmt: skip


def _plain(value: object) -> str:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _row(cells: Iterable[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerow([harmless(cell) for cell in cells])
    return out.getvalue().encode("utf-8", "replace")


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, CSV injection); numbers stay numbers."""
    if cell[:1] in ("=", "+", "-", "@", "\t", "\r") and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell
