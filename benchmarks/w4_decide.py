"""W4, decide: our snapshot against cedarpy, casbin, a PostgreSQL pipeline and duckdb, with the goals G4.1 to G4.6.

`python -m benchmarks.w4_decide [--people N] [--reps N] [--trials N] [--data FOLDER]`. Arms of one goal run in
turns (A B A B …), the first turn is dropped, and what counts is the median of the ratios of each pair. Before any time
is taken all arms must have answered alike. A peer that is not installed is left out by name.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.postgres import SETTINGS, bench_server
from benchmarks.harness.say import say
from benchmarks.w4_arms import Arms
from benchmarks.w4_took import Took, middle


@dataclass(frozen=True)
class Goal:
    """`ours` must be at least `times` as fast for each decision as `other`, by the clock and of processor time."""

    id: str
    ours: str
    other: str
    times: float


GOALS = (
    Goal("G4.1 batch of 1,000", "batch", "cedar_batch", 20),
    Goal("G4.1 one call", "single", "cedar_single", 1.5),
    Goal("G4.1 one call, casbin", "single", "casbin", 1.5),
    Goal("G4.2 file to file, cedar", "file", "cedar_batch", 100),
    Goal("G4.2 file to file, PostgreSQL", "file", "postgres", 2),
    Goal("G4.2 file to file, duckdb", "file", "duckdb", 0),
    Goal("G4.3 one request of all", "http_batch", "http_single", 400),
    Goal("G4.6 1,000 stores against 10", "many_stores", "few_stores", 0.8),
)


def pairs(ours: Callable[[], Took], other: Callable[[], Took], reps: int) -> tuple[Took, Took, Took]:
    """The middle of both, and the middle of the ratios of each pair; the first pair is dropped."""
    turns = [(ours(), other()) for _ in range(reps + 1)][1:]
    ratios = [Took(b.clock / a.clock, b.processor / a.processor) for a, b in turns]
    return middle([a for a, _ in turns]), middle([b for _, b in turns]), middle(ratios)


def say_goal(goal: Goal, arms: Arms, reps: int) -> None:
    ours, other = arms.named(goal.ours), arms.named(goal.other)
    if ours is None or other is None:
        say(f"{goal.id}: not measured, {goal.other if other is None else goal.ours} is not here")
        return
    a, b, times = pairs(ours, other, reps)
    by_clock, by_processor = ("PASS" if value >= goal.times else "FAIL" for value in times)
    say(f"{goal.id}: {1 / a.clock:,.0f}/s against {1 / b.clock:,.0f}/s = {times.clock:,.2f}x {by_clock};"
        f" of processor time {a.processor * 1e6:,.3f} us against {b.processor * 1e6:,.3f} us"
        f" = {times.processor:,.2f}x {by_processor} (goal {goal.times}x)")  # fmt: skip


def spin() -> float:
    """A probe of the machine: seconds for a fixed loop."""
    began = time.perf_counter()
    sum(range(5_000_000))
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--trials", type=int, default=100_000, help="Trials of G4.4: the goal's own number.")
    parser.add_argument("--only", default="", help="Only goals with this in their name, beside G4.4 and G4.5.")
    parser.add_argument("--data", type=Path, help="Keep the filled database here.")
    asked = parser.parse_args()
    with bench_server(SETTINGS, asked.data) as server:
        arms = Arms(server, asked.people)
        say(f"probe {spin():.3f} s; snapshot of {asked.people:,} made in {arms.built:.1f} s")
        arms.check_alike()
        for goal in GOALS:
            if asked.only in goal.id:
                say_goal(goal, arms, asked.reps)
        caught = middle([arms.catch_up(1_000) for _ in range(asked.reps + 1)][1:])
        by_clock, by_processor = ("PASS" if seconds <= 0.010 else "FAIL" for seconds in caught)
        say(f"G4.5: 1,000 changes caught up in {caught.clock * 1000:.1f} ms {by_clock}; of processor time"
            f" {caught.processor * 1000:.1f} ms, the server's included, {by_processor} (goal 10)")  # fmt: skip
        began = time.perf_counter()
        stale = arms.stale_yeses(asked.trials)
        spent = time.perf_counter() - began
        say(f"G4.4: {stale} stale yeses in {asked.trials:,} trials, {spent:,.0f} s {'PASS' if stale == 0 else 'FAIL'}")
        say(f"probe {spin():.3f} s")
        arms.close()


if __name__ == "__main__":
    main()
