"""The small shape of `python -m tests.mutations`, which reads 100,000 spoiled entries."""

from __future__ import annotations

from tests.mutations.trials import run


def test_spoiled_entries_cost_no_good_ones() -> None:
    """Issue 4 (bad input), FHIR-10, FHIR-13: whatever one entry holds, the others come through, what is left out is
    named, and every page and form is made."""
    told = run(100, seed=11)
    assert told.spoiled >= 100
    assert told.kept_share >= 0.999
    assert told.unnamed == 0
    assert told.broken == {}
