"""What may be said of a kind, decided from how its types fared."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from fhir_bridge.reading.kinds import KIND_NAMES, TYPES_OF_KIND, Kind
from fhir_bridge.record_standing import ASKED_TYPES, TYPE_WORDS, Gap, Source, TypeStanding, gap_of, gap_words
from fhir_bridge.retrieve.plan import REFERENCED_TYPES
from fhir_bridge.retrieve.states import State

WHEN, RUN = datetime(2026, 11, 1, tzinfo=UTC), UUID(int=1)


def source(state: str = "finished", **types: State) -> Source:
    standing = tuple(TypeStanding(name, one, 0, RUN) for name, one in types.items())
    return Source(UUID(int=2), "riverside", RUN, state, WHEN, None, None, standing)


def all_types(state: State, **other: State) -> dict[str, State]:
    return dict.fromkeys((*ASKED_TYPES, *REFERENCED_TYPES), state) | other


@pytest.mark.parametrize(
    ("kind", "count", "sources", "gap"),
    [
        (Kind.PROBLEMS, 0, [source(Condition=State.EMPTY)], Gap.NONE_THERE),
        (Kind.PROBLEMS, 3, [source(Condition=State.OK)], Gap.WHOLE),
        (Kind.PROBLEMS, 0, [source(Condition=State.FAILED)], Gap.FAILED),
        (Kind.PROBLEMS, 3, [source(Condition=State.PARTIAL)], Gap.FAILED),
        (Kind.PROBLEMS, 0, [source(Condition=State.NOT_AUTHORIZED)], Gap.NOT_SHARED),
        (Kind.PROBLEMS, 0, [source(Condition=State.NOT_SUPPORTED)], Gap.NOT_OFFERED),
        (Kind.PROBLEMS, 0, [source("running")], Gap.FETCHING),
        (Kind.PROBLEMS, 0, [source("reconnect-needed")], Gap.FAILED),
        (Kind.PROBLEMS, 0, [], Gap.FETCHING),
        (Kind.PROBLEMS, 0, [source(Condition=State.EMPTY), source(Condition=State.FAILED)], Gap.FAILED),
        (Kind.PROBLEMS, 2, [source(Condition=State.OK), source("waiting")], Gap.FETCHING),
        (Kind.TEST_RESULTS, 0, [source(Observation=State.EMPTY, DiagnosticReport=State.FAILED)], Gap.FAILED),
        (Kind.TEST_RESULTS, 0, [source(Observation=State.OK, DiagnosticReport=State.NOT_SUPPORTED)], Gap.NONE_THERE),
    ],
)
def test_gap(kind: Kind, count: int, sources: list[Source], gap: Gap) -> None:
    """FHIR-10: the worst news of any type of any hospital decides."""
    assert gap_of(kind, count, sources) is gap


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("bad", [State.FAILED, State.PARTIAL, State.NOT_AUTHORIZED])
def test_none_is_never_said_of_what_was_not_had(kind: Kind, bad: State) -> None:
    """FHIR-10: whichever type of a kind was not had, "none" is not said of the kind."""
    for name in TYPES_OF_KIND[kind]:
        gap = gap_of(kind, 0, [source(**all_types(State.EMPTY, **{name: bad}))])
        assert gap is not Gap.NONE_THERE
        assert "none" not in str(gap_words(gap, 0)).lower()
    assert gap_of(kind, 0, [source(**all_types(State.EMPTY))]) is Gap.NONE_THERE


def test_a_source_says_what_is_still_to_come() -> None:
    """FHIR-10: while a new fetch runs, types that only an older fetch reached are still to come."""
    old = TypeStanding("Condition", State.OK, 3, UUID(int=9))
    done = TypeStanding("Goal", State.EMPTY, 0, RUN)
    running = Source(UUID(int=2), "riverside", RUN, "running", WHEN, None, None, (old, done))
    assert "Condition" in running.still_to_come
    assert "Goal" not in running.still_to_come
    assert source("finished").still_to_come == ()


def test_every_type_and_kind_has_words() -> None:
    """LANG-01: no type that we ask for is shown by its technical name."""
    assert set(TYPE_WORDS) >= {*ASKED_TYPES, *REFERENCED_TYPES}
    assert set(KIND_NAMES) == set(Kind) == set(TYPES_OF_KIND)
