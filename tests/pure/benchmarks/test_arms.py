"""The harness of the benchmarks: what it believes and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.harness.arms import Arm, Benchmark, Goal, Outcome, OutputsDiffer, judged, lines, run
from benchmarks.harness.probes import Probe

CALM = Probe(1000, 100, 1000, 1)


@contextmanager
def _world(_small: bool) -> Iterator[list[str]]:
    yield []


def _arm(name: str, rate: float, sha: str = "same") -> Arm:
    def work(world: list[str], turn: int) -> Outcome:
        world.append(f"{name}{turn}")
        return Outcome(10, sha, {"per_second": rate * (turn + 1)})

    return Arm(name, work)


def _benchmark(*arms: Arm, bound: float = 2) -> Benchmark:
    return Benchmark("w0", arms, (Goal("G0", "a", "per_second", bound, over="b"),), _world)


def test_the_ratio_is_taken_pair_by_pair_and_the_warm_up_is_dropped() -> None:
    """benchmarks.md: median of per-pair ratios; absolute figures may drift by any factor between turns."""
    result = run(_benchmark(_arm("a", 30), _arm("b", 10)), 3, lambda: CALM)
    assert (result.goals[0]["value"], result.passed, len(result.turns)) == (3, True, 3)
    assert result.medians["a"]["per_second"] == 30 * 3


def test_a_goal_that_is_missed_fails() -> None:
    """benchmarks.md: a benchmark that could not fail is not one."""
    result = run(_benchmark(_arm("a", 30), _arm("b", 10), bound=3.1), 1, lambda: CALM)
    assert not result.passed
    assert any("FAIL G0" in line for line in lines(result))


def test_no_time_counts_when_the_arms_did_not_do_the_same() -> None:
    """benchmarks.md: outputs of all arms are shown equal first."""
    with pytest.raises(OutputsDiffer):
        run(_benchmark(_arm("a", 30), _arm("b", 10, "other")), 1, lambda: CALM)


def test_a_turn_on_a_machine_that_changed_is_repeated_but_not_for_ever() -> None:
    """benchmarks.md: a pair whose probes differ by more than 30 % is repeated."""
    seen = iter([CALM, Probe(500, 100, 1000, 9), *[CALM] * 9])
    result = run(_benchmark(_arm("a", 30), _arm("b", 10)), 2, lambda: next(seen))
    assert (len(result.turns), result.repeated) == (2, 2)
    wild = iter([Probe(10.0**n, 1, 1, 1) for n in range(20)])
    assert run(_benchmark(_arm("a", 30), _arm("b", 10)), 2, lambda: next(wild)).repeated == 3


def test_a_ceiling_is_no_floor() -> None:
    """benchmarks.md: "at most" goals."""
    turn = {"a": Outcome(1, "x", {"flushes": 1.2})}
    assert not judged([Goal("G", "a", "flushes", 1.05, at_most=True)], [turn])[0]["passed"]
    assert judged([Goal("G", "a", "flushes", 1.3, at_most=True)], [turn])[0]["passed"]
