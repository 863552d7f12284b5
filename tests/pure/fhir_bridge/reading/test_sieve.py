"""The story of a long record: entries pass by, most are never read, and nothing that is told is missed."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from random import Random
from typing import Any

import orjson
import pytest

from fhir_bridge.reading import trends
from fhir_bridge.reading.markers import BLOOD_MARKERS
from fhir_bridge.reading.sieve import Sieve, sifted
from fhir_bridge.reading.summary import story_of, summarise
from fhir_bridge.reading.summary_model import CancerSummary
from sandbox.people import SyntheticPerson, population
from tests.pure.fhir_bridge.reading.samples import ICD, condition, jenny, observation, without_profiles


def passed_by(entries: list[dict[str, Any]]) -> CancerSummary:
    """The story from entries as they are kept."""
    kept = [(one["resourceType"], orjson.dumps(one)) for one in entries]
    return story_of(sifted(lambda types: [one for one in kept if one[0] in types]))


@pytest.mark.parametrize("person", population(), ids=lambda one: one.id)
def test_the_story_of_the_sandbox_people(person: SyntheticPerson) -> None:
    """MC-01 to MC-12: the same from texts that pass by as from all entries at once."""
    chart = person.resources()
    assert passed_by(chart) == summarise(chart)
    if person.id.endswith("1"):
        plain = without_profiles(chart)
        assert passed_by(plain) == summarise(plain)


def test_most_of_a_record_is_not_read() -> None:
    """G1.6: of a thousand ordinary results none is let through; of a cancer's entries each that is told is."""
    sieve = Sieve()
    sugar = [observation(f"g{one}", "2345-7", note=[{"text": "No cancer seen."}]) for one in range(1000)]
    cold = [condition(f"c{one}", (ICD, "J00"), words="Common cold") for one in range(1000)]
    read = Counter(one["resourceType"] for one in [*sugar, *cold]
                   if sieve.read(one["resourceType"], orjson.dumps(one)) is not None)  # fmt: skip
    assert not read
    told = {one["resourceType"] for one in without_profiles(jenny())
            if sieve.read(one["resourceType"], orjson.dumps(one)) is not None}  # fmt: skip
    assert told >= {"Condition", "Observation", "Procedure", "MedicationRequest"}


def test_a_long_course_holds_what_it_shows() -> None:
    """MC-06, G1.6: of a thousand values in any order a few hundred are held, and the course is that of all of them."""
    found = []
    for number in range(1000):
        when = (date(2010, 1, 1) + timedelta(days=number // 3)).isoformat()
        limits = {"referenceRange": [{"high": {"value": 5}}]} if number < 40 else {}
        value = {"value": number / 10, "unit": "ng/mL"}
        found.append(observation(f"p{number}", "2857-1", effectiveDateTime=when, valueQuantity=value, **limits))
    Random(4).shuffle(found)
    (course,) = summarise(found).trends
    assert course == trends.trend_of("psa", BLOOD_MARKERS["psa"], found)
    assert course.usual == "≤ 5"
    held = trends.Trends()
    for one in found:
        held.add(one)
    assert sum(map(len, held._found.values())) <= trends.MOST_HELD
