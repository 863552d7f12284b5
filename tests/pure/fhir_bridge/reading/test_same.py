"""FHIR-15: what several hospitals tell alike is shown once with its sources; nothing is ever lost."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_bridge.reading.line import LineView, read_line
from fhir_bridge.reading.same import by_day, folded, runs
from fhir_bridge.reading.summary import summarise
from fhir_bridge.reading.together import together
from tests.pure.fhir_bridge.reading.samples import ICD, condition, medicine


@dataclass(frozen=True)
class Told:
    provider_id: str
    line: LineView


def told(place: str, code: str = "E11.9", **more: str) -> Told:
    return Told(place, read_line(condition(place, (ICD, code), words=code, onsetDateTime="2020-01-01", **more)))


def test_two_hospitals_one_line() -> None:
    """MC-02: the same illness from two hospitals is one line; another day, or the same hospital twice, is not."""
    first, second = told("a"), told("b")
    assert [(one.first, one.others) for one in folded([first, second])] == [(first, (second,))]
    twice = folded([told("a"), told("a")])
    assert [len(one.others) for one in twice] == [0, 0]
    later = Told("b", read_line(medicine("m", "E11.9", "2021-01-01")))
    assert len(folded([first, later])) == 2


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["E11.9", "I10", "C50.9"])), max_size=12))
def test_nothing_is_lost(given_entries: list[tuple[str, str]]) -> None:
    """FHIR-10: every entry stands on the page, as a line or as a source of one."""
    entries = [told(place, code) for place, code in given_entries]
    shown = [each for one in folded(entries) for each in (one.first, *one.others)]
    assert sorted(map(id, shown)) == sorted(map(id, entries))


def test_a_medicine_ordered_again_is_one_line() -> None:
    """FHIR-03: orders that differ in their day only stand under the newest; another medicine between parts them."""
    days = ("2026-01-01", "2025-01-01", "2024-01-01")
    again = [Told("a", read_line(medicine(f"m{day}", "Anastrozole", day))) for day in days]
    other = Told("a", read_line(medicine("x", "Docetaxel", "2023-01-01")))
    first, second = runs(folded([*again, other]))
    assert (first.newest.first, len(first.earlier), second.newest.first) == (again[0], 2, other)
    assert len(runs(folded([again[0], other, again[1]]))) == 3
    elsewhere = Told("b", again[1].line)
    assert len(runs(folded([again[0], elsewhere]))) == 2


def test_one_cancer_of_two_hospitals() -> None:
    """MC-02: two hospitals tell of one cancer: one card with what both know; what differs is never joined."""
    left = {"onsetDateTime": "2021-02", "bodySite": [{"text": "Left breast"}]}
    ours = summarise([condition("1", (ICD, "C50.912"), words="Breast cancer", **left)])
    theirs = summarise([condition("2", (ICD, "C50.912"), words="Cancer of breast", onsetDateTime="2021")])
    joined = together([ours, theirs])
    (cancer,) = joined.story.cancers
    assert (cancer.found and cancer.found.text, len(cancer.keys), joined.told_by) == ("2021-02", 2, ((0, 1),))
    for more in ({"onsetDateTime": "2019"}, {"code": "C50.911"}, {"code": "C34.90"}):
        code = more.pop("code", "C50.912")
        other = summarise([condition("2", (ICD, code), words="Cancer", **more)])
        assert together([ours, other]).told_by == ((0,), (1,)), code
    twice = summarise([
        condition("2", (ICD, "C50.912"), words="Cancer"), condition("3", (ICD, "C50.911"), words="Cancer"),
    ])  # fmt: skip
    assert together([ours, twice]).told_by == ((0, 1), (1,))
    assert together([]).story.cancers == ()


def test_rows_of_one_day_stand_under_it_where_that_says_less() -> None:
    """FHIR-11: many entries of one day under one date; with a day of its own for most the list stays as it is."""
    days = ("2026-03-14", "2026-03-14", "2026-03-14", "2026-03-03")
    rows = runs(folded([Told("a", read_line(medicine(f"m{n}", f"Drug {n}", day))) for n, day in enumerate(days)]))
    assert [(day, len(found)) for day, found in by_day(rows)] == [("2026-03-14", 3), ("2026-03-03", 1)]
    assert [(day, len(found)) for day, found in by_day(rows[2:])] == [("", 2)]
    assert by_day(rows[:0]) == []
