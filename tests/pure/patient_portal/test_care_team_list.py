"""Lists of opt-outs: any bytes give an answer, a good list gives its rows, and each bad place is named."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patient_portal.care_team.opt_out_list import COLUMNS, MOST_ROWS, BadRow, ListRow, match, read_list, template

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
GOOD = ("RV-1", "1961-04-12", "2026-10-03", "patient", "paper", "Asked by letter")


def as_csv(*rows: tuple[str, ...], delimiter: str = ",", titles: tuple[str, ...] = COLUMNS) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([titles, *rows])
    return out.getvalue().encode()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_a_list_as_spreadsheets_write_it(delimiter: str, encoding: str) -> None:
    """X-04: comma, semicolon or tab; with a byte order mark or in Windows' own letters; dates in two forms."""
    other = ("RV-2", "3/9/1950", "10/3/2026", "Family", "In person", "Señora called")
    content = as_csv(GOOD, other, delimiter=delimiter, titles=("Record number", *COLUMNS[1:])).decode().encode(encoding)
    rows, bad = read_list(content, NOW)
    assert bad == []
    assert rows == [
        ListRow(2, "RV-1", "1961-04-12", "2026-10-03", "patient", "paper", "Asked by letter"),
        ListRow(3, "RV-2", "1950-03-09", "2026-10-03", "family", "in-person", "Señora called"),
    ]


WRONG = {
    "no number": (0, "", "record_number", "missing"),
    "two numbers in one": (0, "RV-1,RV-2", "record_number", "unreadable"),
    "born never": (1, "1961-02-30", "birth_date", "unreadable"),
    "born": (1, "", "birth_date", "missing"),
    "asked tomorrow": (2, "2027-01-01", "asked_on", "future"),
    "asked": (2, "", "asked_on", "missing"),
    "who": (3, "the cat", "who_asked", "unreadable"),
    "nobody": (3, "", "who_asked", "missing"),
    "how": (4, "by owl", "how", "unreadable"),
    "no reason": (5, " ", "reason", "missing"),
    "long reason": (5, "x" * 501, "reason", "too-long"),
}


@pytest.mark.parametrize(("place", "value", "column", "code"), WRONG.values(), ids=WRONG.keys())
def test_each_bad_place_is_named(place: int, value: str, column: str, code: str) -> None:
    """X-04: line, column and what is wrong; the good rows around it do not hide it."""
    row = (*GOOD[:place], value, *GOOD[place + 1 :])
    _, bad = read_list(as_csv(("RV-9", *GOOD[1:]), row, ("RV-8", *GOOD[1:])), NOW)
    assert bad == [BadRow(3, column, code)]


def test_what_is_wrong_with_a_whole_file() -> None:
    """X-04: an empty file, a missing column, a row that is too short, a number twice, too many rows, no text at all."""
    assert read_list(b"", NOW)[1] == [BadRow(0, "file", "empty")]
    assert read_list(as_csv(), NOW)[1] == [BadRow(0, "file", "empty")]
    assert read_list(b"\x00\x01\x02", NOW)[1] == [BadRow(0, "file", "unreadable")]
    assert [one.code for one in read_list(as_csv(GOOD, titles=(*COLUMNS[:-1], "why")), NOW)[1]] == ["column-missing"]
    assert read_list(as_csv(GOOD[:3]), NOW)[1] == [BadRow(2, "file", "cells")]
    assert read_list(as_csv(GOOD, GOOD), NOW)[1] == [BadRow(3, "record_number", "twice")]
    many = [(f"RV-{number}", *GOOD[1:]) for number in range(MOST_ROWS + 1)]
    assert read_list(as_csv(*many), NOW)[1] == [BadRow(0, "file", "too-many")]
    rows, bad = read_list(template(), NOW)
    assert (len(rows), bad) == (1, [])


@given(st.binary(max_size=400))
def test_any_bytes_give_an_answer(content: bytes) -> None:
    """Fuzz: rows or reasons, never an error."""
    rows, bad = read_list(content, NOW)
    assert bad or rows


@given(st.data())
def test_a_damaged_list_is_named_or_means_the_same(data: st.DataObject) -> None:
    """Fuzz: bytes of a good list are changed; what is still good has only rows that keep every rule."""
    content = bytearray(as_csv(GOOD, ("RV-2", *GOOD[1:]), ("RV-3", *GOOD[1:])))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    rows, bad = read_list(bytes(content), NOW)
    if not bad:
        assert 1 <= len(rows) <= 3
        assert len({row.record_number for row in rows}) == len(rows)
        assert all(row.reason and row.who and row.how and len(row.birth_date) == 10 for row in rows)


def test_only_the_right_patient_is_matched() -> None:
    """Abuse 10: an unknown number, a number of two people, another birth date and another team's patient are named."""
    rows = [
        ListRow(line, f"RV-{line}", "1961-04-12", "2026-10-03", "patient", "paper", "Asked") for line in range(2, 7)
    ]
    own = {"id": "a", "birthDate": "1961-04-12"}
    found = {
        "RV-2": [own], "RV-4": [own, {"id": "b", "birthDate": "1961-04-12"}],
        "RV-5": [{"id": "c", "birthDate": "1961-04-13"}], "RV-6": [{"id": "d", "birthDate": "1961-04-12"}],
    }  # fmt: skip
    matched, bad = match(rows, found, {"a", "b", "c"})
    assert matched == {2: own}
    assert [(one.line, one.code) for one in bad] == [(3, "unknown"), (4, "several"), (5, "another"), (6, "not-yours")]
