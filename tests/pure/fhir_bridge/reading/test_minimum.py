"""What a cancer record should say at the least, and what it does not."""

from __future__ import annotations

from pathlib import Path

from fhir_bridge.reading.minimum import Topic, missing_from
from fhir_bridge.reading.summary import summarise
from tests.pure.fhir_bridge.reading.samples import ICD, condition, jenny

RESEARCH = Path(__file__).resolve().parents[4] / "research"


def test_a_full_record_misses_nothing_and_a_bare_one_is_told_what() -> None:
    """MC-01: missing is said only of what applies to the cancer."""
    assert missing_from(summarise(jenny())) == ()
    assert missing_from(summarise([])) == (Topic.CANCER,)
    bare = missing_from(summarise([condition("c", (ICD, "C50.9"), words="Breast cancer")]))
    assert {Topic.FOUND, Topic.CELLS, Topic.STAGE, Topic.TREATMENT} <= set(bare)
    leukemia = missing_from(summarise([condition("c", (ICD, "C92.0"), words="AML")]))
    assert Topic.STAGE not in leukemia
    assert Topic.MARKERS not in leukemia


def test_what_a_person_says_is_read_by_nothing_that_donates() -> None:
    """HIP-05: the room that builds donations does not know the table at all."""
    named = [
        path.name
        for path in RESEARCH.rglob("*.py")
        if "own_words" in path.read_text() or "OwnStatement" in path.read_text()
    ]
    assert named == []
