"""A list of opt-outs as a practice sends it: CSV bytes in, rows or every bad row out. Pure.

Any bytes at all give an answer. A list with one bad row is not taken, so that nobody has to find out which half was.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from fhir_bridge.reading.shape import text
from patient_portal.care_team.chart import HOW, WHO_ASKED, OptOutForm, problems
from vocabulary.resource import Resource

COLUMNS = ("record_number", "birth_date", "asked_on", "who_asked", "how", "reason")
MOST_ROWS = 1000
MOST_BYTES = 1024 * 1024
EXAMPLE = ("A-1001", "1961-04-12", "2026-10-03", "patient", "paper", "Asked by letter")
_US_DAY = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_NUMBER = re.compile(r"[^\s,|\x00-\x1f\x7f](?:[^,|\x00-\x1f\x7f]{0,62}[^\s,|\x00-\x1f\x7f])?")
_FIELDS = {"who": "who_asked", "how": "how", "asked_on": "asked_on", "reason": "reason"}


@dataclass(frozen=True)
class ListRow:
    """One good row; `line` is its line in the file, the title's is 1."""

    line: int
    record_number: str = field(repr=False)
    birth_date: str = field(repr=False)
    asked_on: str
    who: str
    how: str
    reason: str = field(repr=False)

    def form(self, key: str) -> OptOutForm:
        """The row as the one form, for the same rules; `key` names the file."""
        return OptOutForm(self.who, self.how, self.asked_on, self.reason, f"{key}-{self.line}")


@dataclass(frozen=True)
class BadRow:
    """What is wrong in one place; `line` 0 is the file itself. `code` is turned into words by the page."""

    line: int
    column: str
    code: str


def read_list(content: bytes, now: datetime) -> tuple[list[ListRow], list[BadRow]]:
    """The rows, and everything that is wrong with them, in order; a list is good when nothing is."""
    if len(content) > MOST_BYTES:
        return [], [BadRow(0, "file", "too-large")]
    lines, wrong = _lines(content)
    if wrong or not lines:
        return [], [wrong or BadRow(0, "file", "empty")]
    titles = [_title(name) for name in lines[0][1]]
    missing = [name for name in COLUMNS if titles.count(name) != 1]
    if missing:
        return [], [BadRow(1, name, "column-missing") for name in missing]
    body = [(number, cells) for number, cells in lines[1:] if any(cell.strip() for cell in cells)]
    if not body:
        return [], [BadRow(0, "file", "empty")]
    if len(body) > MOST_ROWS:
        return [], [BadRow(0, "file", "too-many")]
    rows: list[ListRow] = []
    bad: list[BadRow] = []
    for number, cells in body:
        if len(cells) != len(titles):
            bad.append(BadRow(number, "file", "cells"))
            continue
        row, found = _row(number, dict(zip(titles, (cell.strip() for cell in cells), strict=True)), now)
        rows.append(row)
        bad += found
    return rows, sorted([*bad, *_twice(rows)], key=lambda one: one.line)


def askable(rows: Sequence[ListRow], bad: Sequence[BadRow]) -> list[ListRow]:
    """The rows of which the hospital can be asked: their number and birth date are there and can be read."""
    wrong = {one.line for one in bad if one.column in ("record_number", "birth_date")}
    return [row for row in rows if row.line not in wrong]


def match(
    rows: Sequence[ListRow], found: Mapping[str, Sequence[Resource]], own: Collection[str]
) -> tuple[dict[int, Resource], list[BadRow]]:
    """Each row's patient by its line, and the rows that have none. `found`: patients by record number, from the
    hospital; `own`: ids of those on whose care team the sender is."""
    matched: dict[int, Resource] = {}
    bad: list[BadRow] = []
    for row in rows:
        patients = {text(one.get("id")): one for one in found.get(row.record_number, ())}
        if len(patients) != 1:
            bad.append(BadRow(row.line, "record_number", "several" if patients else "unknown"))
            continue
        ((patient_id, patient),) = patients.items()
        if text(patient.get("birthDate")) != row.birth_date:
            bad.append(BadRow(row.line, "birth_date", "another"))
        elif patient_id not in own:
            bad.append(BadRow(row.line, "record_number", "not-yours"))
        else:
            matched[row.line] = patient
    return matched, bad


def template() -> bytes:
    """An empty list with its titles and one example, for a spreadsheet."""
    out = io.StringIO()
    csv.writer(out).writerows([COLUMNS, EXAMPLE])
    return out.getvalue().encode("utf-8-sig")


def _lines(content: bytes) -> tuple[list[tuple[int, list[str]]], BadRow | None]:
    """The file's lines with their numbers: UTF-8 or Windows-1252, with commas, semicolons or tabs."""
    words = _decoded(content)
    if words is None or "\x00" in words:
        return [], BadRow(0, "file", "unreadable")
    first = words.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(words, newline=""), delimiter=delimiter, strict=True)
    found: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if cells:
                found.append((reader.line_num, cells))
    except csv.Error:
        return [], BadRow(reader.line_num, "file", "quotes")
    return found, None


def _decoded(content: bytes) -> str | None:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _title(name: str) -> str:
    return "_".join(re.findall(r"[a-z]+", name.lower()))


def _row(number: int, cells: Mapping[str, str], now: datetime) -> tuple[ListRow, list[BadRow]]:
    asked_on, born = _day(cells["asked_on"]), _day(cells["birth_date"])
    who, how = cells["who_asked"].lower(), cells["how"].lower().replace(" ", "-")
    row = ListRow(number, cells["record_number"], born, asked_on, who, how, cells["reason"])
    wrong = {_FIELDS[name]: code for name, code in problems(row.form("list"), now).items()}
    if not asked_on:
        wrong["asked_on"] = "missing"
    if who and who not in WHO_ASKED:
        wrong["who_asked"] = "unreadable"
    if how and how not in HOW:
        wrong["how"] = "unreadable"
    if not _is_day(born):
        wrong["birth_date"] = "unreadable" if born else "missing"
    if not _NUMBER.fullmatch(row.record_number):
        wrong["record_number"] = "unreadable" if row.record_number else "missing"
    return row, [BadRow(number, name, wrong[name]) for name in COLUMNS if name in wrong]


def _twice(rows: Sequence[ListRow]) -> list[BadRow]:
    seen: set[str] = set()
    bad = []
    for row in rows:
        if row.record_number in seen:
            bad.append(BadRow(row.line, "record_number", "twice"))
        seen.add(row.record_number)
    return bad


def _day(value: str) -> str:
    """A day as year-month-day; a spreadsheet in the United States writes month/day/year."""
    found = _US_DAY.fullmatch(value)
    return f"{found[3]}-{int(found[1]):02}-{int(found[2]):02}" if found else value


def _is_day(value: str) -> bool:
    try:
        return len(value) == 10 and date.fromisoformat(value).year > 1850
    except ValueError:
        return False
