"""Lists of names in, lists of answers out."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.decide.columns import Question
from consent.decide.decider import UNCHECKED, Look, Sifted
from consent.decide.lines import BLOCK, Form, Tally, answer_lines, blocks, bounded
from consent.decision import DataCategory
from consent.may_use import Permission, Purpose, Reason
from tests.support.draws import draws
from vocabulary.errors import Invalid, Unavailable

YES, NO = Permission(True, Reason.DONATED), Permission(False, Reason.NOT_CONCERNED)
QUESTION = Question("living-well", DataCategory.CLINICAL, Purpose.RESEARCH)


class Fake:
    """Allows each name that ends in an even digit; its clock moves a little with each look."""

    def __init__(self, checked: bool = True, step: timedelta = timedelta(milliseconds=10)) -> None:
        self.at, self.step, self.checks, self.checked = datetime(2026, 1, 1, tzinfo=UTC), step, 0, checked

    def now(self) -> datetime:
        self.at += self.step
        return self.at

    def look(self, _question: Question, names: Sequence[bytes], *, check: bool = True) -> Look:
        self.checks += check
        if not self.checked:
            return Look(3, [0] * len(names), [UNCHECKED])
        return Look(7, [int(name[-1:] in (b"0", b"2", b"4", b"6", b"8")) for name in names], [NO, YES])

    def sift(self, _question: Question, _names: Sequence[bytes], *, check: bool = True) -> Sifted | None:
        return None


def written(names: Iterable[bytes], form: Form, fake: Any = None, **more: Any) -> tuple[bytes, Tally]:
    tally = Tally()
    runs = blocks([b"\n".join(names)], **more)
    return b"".join(answer_lines(fake or Fake(), QUESTION, runs, form, tally, most=10_000_000)), tally


names = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\n\r"), min_size=1, max_size=20)


@given(st.lists(names.filter(lambda n: n.strip() and n != "id"), max_size=20))
@draws(100)
def test_each_name_comes_back_as_it_was(asked: list[str]) -> None:
    """Decisions for pipelines: quotes, commas and controls in a name break no line of either form."""
    sent = [name.encode() for name in asked]
    lines, tally = written(sent, Form.NDJSON)
    assert [orjson.loads(line)["id"] for line in lines.splitlines() if line.strip(b"\x1c\x1d\x1e")] == asked
    table, _ = written(sent, Form.CSV)
    rows = list(csv.reader(io.StringIO(table.decode(), newline="")))
    assert [row[0] for row in rows[1:]] == asked
    kept, _ = written(sent, Form.ALLOWED)
    assert kept.decode().split("\n")[:-1] == [name for name in asked if name[-1] in "02468"]
    assert (tally.asked, tally.allowed) == (len(asked), kept.count(b"\n"))


def test_forms() -> None:
    """Decisions for pipelines: reason and position with each answer."""
    lines, tally = written([b"id", b"a1", b"", b"a2\r"], Form.NDJSON)
    assert lines == (
        b'{"id":"a1","allowed":false,"reason":"store-does-not-know-person","position":7}\n'
        b'{"id":"a2","allowed":true,"reason":"donated","position":7}\n'
    )
    assert dict(tally.reasons) == {"store-does-not-know-person": 1, "donated": 1}
    assert written([b"a2"], Form.CSV)[0] == b"id,allowed,reason,position\na2,true,donated,7\n"
    assert written([b'"a2"', b'{"id": "a1"}', b" "], Form.ALLOWED, ndjson=True)[0] == b"a2\n"
    assert written([], Form.NDJSON)[0] == b""


@given(st.lists(st.integers(1, BLOCK // 2), max_size=12), st.integers(0, 60_000))
@draws(25)
def test_any_cutting_gives_the_same_names(cuts: list[int], count: int) -> None:
    """Decisions for pipelines: how the bytes arrive makes no difference."""
    whole, pieces, at = b"".join(b"name-%d\n" % n for n in range(count)), [], 0
    for cut in cuts:
        pieces.append(whole[at : at + cut])
        at += cut
    found = [name for run in blocks([*pieces, whole[at:]]) for name in run]
    assert found == [b"name-%d" % n for n in range(count)]


@pytest.mark.parametrize("sent", [b"x" * 2_000, b"x" * (2 * BLOCK), b'{"id": 4}', b"{", b"[]", b"null"])
def test_what_cannot_be_read(sent: bytes) -> None:
    """CON-10: refused as a whole."""
    with pytest.raises(Invalid):
        list(blocks([sent], ndjson=not sent.startswith(b"x")))


def test_packed_and_bounded() -> None:
    """threats.md: a bomb is stopped at the limit, a broken or doubled archive refused."""
    packed = gzip.compress(b"a\n" * 500_000)
    assert b"".join(bounded([packed], 1_000_000, gzipped=True)) == b"a\n" * 500_000
    assert b"".join(bounded([packed[n : n + 7] for n in range(0, len(packed), 7)], 1_000_000, gzipped=True))
    seen: list[int] = []
    with pytest.raises(Invalid, match="too-large"):
        seen.extend(map(len, bounded([gzip.compress(b"\0" * 50_000_000)], 1_000_000, gzipped=True)))
    assert sum(seen) <= 1_000_000
    for broken in (packed[:-4], packed + b"x", b"no archive", packed[:20] + b"\0\0" + packed[22:]):
        with pytest.raises(Invalid, match="broken-gzip"):
            list(bounded([broken], 10_000_000, gzipped=True))


def test_fresh_at_each_run() -> None:
    """G4.4: one look for a batch; a batch that drags on looks again, and so does one whose clock went back."""
    runs = [[b"a1"]] * 10
    for step, checks in ((timedelta(milliseconds=10), 1), (timedelta(seconds=2), 10), (timedelta(seconds=-1), 10)):
        fake = Fake(step=step)
        assert len(list(answer_lines(fake, QUESTION, runs, Form.NDJSON, Tally(), most=100))) == 10
        assert fake.checks == checks


def test_not_checked_and_too_many() -> None:
    """CON-10: nothing is answered that could not be checked."""
    with pytest.raises(Unavailable):
        written([b"a2"], Form.NDJSON, Fake(checked=False))
    with pytest.raises(Invalid, match="too-many-names"):
        list(answer_lines(Fake(), QUESTION, [[b"a"] * 11], Form.NDJSON, Tally(), most=10))
