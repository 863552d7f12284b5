"""Arms run in turns, compared pair by pair, and put to goals. Pure but for the calls of the arms and the probe.

To add a benchmark write one file `benchmarks/w3_….py` with `BENCHMARK = Benchmark(…)`: its arms, its goals, and a
context that makes what the arms share. `python -m benchmarks w3` finds it by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.harness.probes import LARGEST_DRIFT, Probe

MOST_REPEATS = 3


@dataclass(frozen=True)
class Outcome:
    """What one turn of an arm gave: `figures` (rates, times) and what proves that it did the work.

    `count` and `sha256` must be equal for all arms of a turn before any figure is believed.
    """

    count: int
    sha256: str
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Arm:
    """`run(world, turn)` does the whole work once; all arms get the same world and the same turn number."""

    name: str
    run: Callable[[Any, int], Outcome]


@dataclass(frozen=True)
class Goal:
    """`figure` of `arm` must be at least or at most `bound`; with `over`, its ratio to the same figure of that arm."""

    id: str
    arm: str
    figure: str
    bound: float
    over: str | None = None
    at_most: bool = False

    def met(self, value: float) -> bool:
        return value <= self.bound if self.at_most else value >= self.bound


@dataclass(frozen=True)
class Benchmark:
    """`world(small)` is entered once for all turns."""

    name: str
    arms: Sequence[Arm]
    goals: Sequence[Goal]
    world: Callable[[bool], AbstractContextManager[Any]]


@dataclass
class Result:
    """Medians by arm and figure, each goal's value and verdict, the probes, and how many turns were repeated."""

    name: str
    medians: dict[str, dict[str, float]]
    goals: list[dict[str, Any]]
    probes: list[Probe]
    repeated: int = 0
    turns: list[dict[str, Outcome]] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return all(goal["passed"] for goal in self.goals)


class OutputsDiffer(Exception):
    """The arms did not do the same work: no time counts."""


def run(benchmark: Benchmark, reps: int, probe: Callable[[], Probe], *, small: bool = False) -> Result:
    """One warm-up turn, then `reps` turns A B A B …; a turn whose probes drift is repeated, at most three times."""
    turns: list[dict[str, Outcome]] = []
    repeated = 0
    with benchmark.world(small) as world:
        take_turn(benchmark, world, 0)
        probes = [probe()]
        number = 1
        while len(turns) < reps:
            outcomes = take_turn(benchmark, world, number)
            number += 1
            probes.append(probe())
            if probes[-2].drift(probes[-1]) > LARGEST_DRIFT and repeated < MOST_REPEATS:
                repeated += 1
                continue
            turns.append(outcomes)
    return Result(benchmark.name, medians_of(turns), judged(benchmark.goals, turns), probes, repeated, turns)


def take_turn(benchmark: Benchmark, world: Any, number: int) -> dict[str, Outcome]:
    """Every arm once; OutputsDiffer unless all did the same."""
    outcomes = {arm.name: arm.run(world, number) for arm in benchmark.arms}
    if len({(outcome.count, outcome.sha256) for outcome in outcomes.values()}) != 1:
        said = ", ".join(f"{name}: {one.count} {one.sha256[:12]}" for name, one in outcomes.items())
        raise OutputsDiffer(said)
    return outcomes


def medians_of(turns: Sequence[Mapping[str, Outcome]]) -> dict[str, dict[str, float]]:
    return {
        arm: {figure: median(turn[arm].figures[figure] for turn in turns) for figure in turns[0][arm].figures}
        for arm in turns[0]
    }


def judged(goals: Sequence[Goal], turns: Sequence[Mapping[str, Outcome]]) -> list[dict[str, Any]]:
    """Each goal with its value: the median of the ratios within each turn, never the ratio of medians."""
    found = []
    for goal in goals:
        values = []
        for turn in turns:
            below = turn[goal.over].figures[goal.figure] if goal.over else 1.0
            values.append(turn[goal.arm].figures[goal.figure] / below)
        value = median(values)
        found.append(
            {
                "id": goal.id,
                "of": f"{goal.figure}: {goal.arm}" + (f" / {goal.over}" if goal.over else ""),
                "value": value,
                "goal": f"{'<=' if goal.at_most else '>='} {goal.bound:g}",
                "passed": goal.met(value),
            }
        )
    return found


def lines(result: Result) -> list[str]:
    """The result as text: absolutes, ratios, verdicts."""
    said = [f"{result.name}: {len(result.turns)} turns, {result.repeated} repeated, probes {result.probes[0]}"]
    for arm, figures in result.medians.items():
        said.append(f"  {arm}: " + ", ".join(f"{figure} {value:,.3g}" for figure, value in figures.items()))
    for goal in result.goals:
        verdict = "PASS" if goal["passed"] else "FAIL"
        said.append(f"  {verdict} {goal['id']} {goal['of']} = {goal['value']:.3g} (goal {goal['goal']})")
    return said
