"""W4, decide: our snapshot against cedarpy, casbin, a PostgreSQL pipeline and duckdb, with the goals G4.1 to G4.6.

`python -m benchmarks.w4_decide [--people N] [--reps N] [--data FOLDER]`. Arms of one goal run in turns (A B A B …),
the first turn is dropped, and what counts is the median of the ratios of each pair. Before any time is taken all arms
must have answered alike. A peer that is not installed is left out by name.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.postgres import SETTINGS, bench_server
from benchmarks.harness.say import say
from benchmarks.w4_arms import Arms, Seconds


@dataclass(frozen=True)
class Goal:
    """`ours` must be at least `times` as fast for each decision as `other`. Both give seconds a decision."""

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


def ratio(ours: Callable[[], Seconds], other: Callable[[], Seconds], reps: int) -> tuple[float, float, float]:
    """Median seconds a decision of both, and the median of the pairs' ratios; the first pair is dropped."""
    pairs = [(ours(), other()) for _ in range(reps + 1)][1:]
    ratios = [b / a for a, b in pairs]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), statistics.median(ratios)


def spin() -> float:
    """A probe of the machine: seconds for a fixed loop."""
    began = time.perf_counter()
    sum(range(5_000_000))
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--trials", type=int, default=2_000, help="Trials of G4.4; 100,000 for the report.")
    parser.add_argument("--data", type=Path, help="Keep the filled database here.")
    asked = parser.parse_args()
    with bench_server(SETTINGS, asked.data) as server:
        arms = Arms(server, asked.people)
        say(f"probe {spin():.3f} s; snapshot of {asked.people:,} made in {arms.built:.1f} s")
        arms.check_alike()
        for goal in GOALS:
            ours, other = arms.named(goal.ours), arms.named(goal.other)
            if ours is None or other is None:
                say(f"{goal.id}: not measured, {goal.other if other is None else goal.ours} is not here")
                continue
            a, b, times = ratio(ours, other, asked.reps)
            verdict = "PASS" if times >= goal.times else "FAIL"
            say(f"{goal.id}: {1 / a:,.0f}/s against {1 / b:,.0f}/s = {times:,.2f}x (goal {goal.times}x) {verdict}")
        stale = arms.stale_yeses(asked.trials)
        say(f"G4.4: {stale} stale yeses in {asked.trials:,} trials {'PASS' if stale == 0 else 'FAIL'}")
        caught = statistics.median(arms.catch_up_seconds(1_000) for _ in range(asked.reps + 1)) * 1000
        say(f"G4.5: 1,000 changes caught up in {caught:.1f} ms (goal 10) {'PASS' if caught <= 10 else 'FAIL'}")
        say(f"probe {spin():.3f} s")
        arms.close()


if __name__ == "__main__":
    main()
