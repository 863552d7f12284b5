"""FHIR-15: what several hospitals tell alike is shown once with its sources; nothing is ever lost."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_bridge.reading.line import LineView, read_line
from fhir_bridge.reading.same import folded
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
