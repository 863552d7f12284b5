"""FHIR-19: what opens behind a question is the person's own setting; only an outlook is never shown unasked."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fhir_bridge.reading.dates import read_date
from fhir_bridge.reading.delicate import CHOOSABLE, Delicate, folded_as, topics_of
from tests.pure.fhir_bridge.reading.samples import condition, example, observation, without_profiles

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize("profiled", [True, False], ids=["with profiles", "without profiles"])
@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("Observation-tnm-pathologic-stage-group-jenny-m", Delicate.STAGE),
        ("Observation-tnm-pathologic-primary-tumor-category-jenny-m", Delicate.STAGE),
        ("Observation-genomic-variant-somatic-single-nucleotide", Delicate.GENOMICS),
        ("Observation-tumor-marker-test-er-jenny-m", Delicate.PATHOLOGY),
    ],
)
def test_what_is_delicate(name: str, topic: Delicate, profiled: bool) -> None:
    """FHIR-19: stage, pathology and genes are known by what they are."""
    resource = example(name)
    assert topic in topics_of(resource if profiled else without_profiles([resource])[0])


def test_all_is_open_until_a_person_says_otherwise() -> None:
    """FHIR-19: nothing is held back; each topic folds only when it was chosen, results only while they are new."""
    everything = frozenset(CHOOSABLE)
    assert folded_as(everything, read_date("2026-04-30"), (), NOW) is None
    assert folded_as({Delicate.STAGE}, None, {Delicate.GENOMICS}, NOW) is None
    assert "stage" in str(folded_as({Delicate.STAGE}, None, {Delicate.STAGE}, NOW))
    for day, asked in (("2026-04-30", True), ("2026-03-30", False)):
        found = folded_as({Delicate.NEW_RESULTS}, read_date(day), {Delicate.NEW_RESULTS}, NOW)
        assert (found is not None) is asked


def test_no_survival_figure_unasked() -> None:
    """FHIR-19: how long people live with an illness opens only on a press, whatever was set."""
    told = observation("s", "x") | {"code": {"text": "5-year survival estimate"}}
    assert "how long" in str(folded_as(topics_of(told), None, (), NOW))
    assert not topics_of(condition("c", words="Breast cancer"))


@pytest.mark.parametrize(
    "name", ["Observation-tnm-pathologic-stage-group-jenny-m", "Observation-tumor-marker-test-er-jenny-m"]
)
def test_only_what_is_asked_for_is_looked_for(name: str) -> None:
    """FHIR-19, G6.1: of the topics that a reader set each is told as among all, and no other; an outlook always."""
    told = example(name) | {"type": {"text": "Prognosis"}}
    everything = topics_of(told)
    assert Delicate.OUTLOOK in everything
    assert len(everything) > 1
    for topic in CHOOSABLE:
        assert topics_of(told, {topic}) == everything & {topic, Delicate.OUTLOOK}
    assert topics_of(told, ()) == {Delicate.OUTLOOK}
