"""One table for each kind, for a spreadsheet: RFC 4180 with a byte order mark, without which Excel reads no UTF-8.

A row is one entry of one hospital, so that whoever counts has what was sent; what another hospital tells alike stands
in the next row, and both name each other in "Also told by".
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from fhir_bridge.export.copy_facts import CopyFacts, Say, day_of, read_me
from fhir_bridge.export.told_alike import Medications, Told, told_alike
from fhir_bridge.reading.same import Folded
from fhir_bridge.reading.shape import codings, obj, text
from fhir_bridge.record_copy import Copied
from vocabulary.phrase import phrase

COLUMNS = (
    phrase("Date"), phrase("What"), phrase("Clinical name"), phrase("Code"), phrase("Code system"), phrase("Result"),
    phrase("Number"), phrase("Unit"), phrase("Out of range"), phrase("Status"), phrase("Hospital or clinic"),
    phrase("Source"), phrase("Warning"), phrase("Marked as a mistake"), phrase("Entry"), phrase("Also told by"),
)  # fmt: skip
_YES = phrase("yes")
_NUMBER = re.compile(r"[-+]?[\d.,]+%?")


def csv_files(
    entries: Iterable[Copied], medications: Medications, facts: CopyFacts, say: Say
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """(name, rows) for each kind, then what the archive holds. Entries come by kind."""
    counts: dict[str, int] = {}

    def rows(kind: str, groups: Iterable[Folded[Told]]) -> Iterator[bytes]:
        yield b"\xef\xbb\xbf" + _row([say(each) for each in COLUMNS])
        for group in groups:
            alike = (group.first, *group.others)
            for one in alike:
                counts[kind] = counts.get(kind, 0) + 1
                others = [facts.name(each.provider_id) for each in alike if each is not one]
                yield _row([*_cells(one, facts, say), "; ".join(others)])

    for kind, groups in groupby(told_alike(entries, medications, facts), key=lambda group: group.first.entry.kind):
        yield f"{kind}.csv", rows(kind, groups)
    yield "README.txt", [read_me(facts, say, [f"{kind}.csv: {count}" for kind, count in counts.items()])]


def _cells(one: Told, facts: CopyFacts, say: Say) -> list[str]:
    line, resource = one.line, one.entry.resource
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
