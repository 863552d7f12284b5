"""The benchmarks at a small shape, on a real server: they run, agree with themselves and write their report.

No speed is looked at: these tests must hold on any machine (CONTRIBUTING.md).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson

from benchmarks.__main__ import found
from benchmarks.harness.arms import Benchmark, run, take_turn
from benchmarks.harness.probes import Probe
from benchmarks.scale import growth
from benchmarks.scale.everyone import as_markdown
from benchmarks.w1_retrieve import BENCHMARK as RETRIEVE
from benchmarks.w2_record_decision import BENCHMARK
from benchmarks.w3_propagate import BENCHMARK as PROPAGATE

CALM = Probe(1, 1, 1, 0)


def test_a_decision_takes_the_promised_statements_and_one_flush() -> None:
    """G2.3: what W2 counts does not depend on the machine, so it holds at the small shape too."""
    result = run(_only(BENCHMARK, "recorded, one at a time", "without tamper evidence"), 1, lambda: CALM, small=True)
    counted = {goal["id"]: goal["passed"] for goal in result.goals if goal["id"].startswith("G2.3")}
    assert counted == {"G2.3 statements": True, "G2.3 flushes at c=1": True}, result.goals
    assert all(outcome.count == 20 for outcome in result.turns[0].values())


def test_all_that_propagate_tell_the_same() -> None:
    """W3: our sender, a job for each change, a relay and Bundles tell the same of the same changes, in order where that
    is promised; an idle look reads no row of the ledger (G3.7)."""
    arms = ("Procrastinate, job per change", "one store", "outbox relay", "Bundles sent", "100 changes among few")
    result = run(_only(PROPAGATE, *arms), 1, lambda: CALM, small=True)
    assert [outcome.count for outcome in result.turns[0].values()] == [150] * len(arms)
    assert result.medians["100 changes among few"]["ledger_rows_when_idle"] == 0


def _only(benchmark: Benchmark, *names: str) -> Benchmark:
    """The benchmark with these arms, which need no server of their own; goals of others are left out."""
    arms = [arm for arm in benchmark.arms if arm.name in names]
    assert len(arms) == len(names)
    goals = [goal for goal in benchmark.goals if goal.arm in names and goal.over in (None, *names)]
    return replace(benchmark, arms=arms, goals=goals)


def test_the_scale_run_writes_its_curve(tmp_path: Path) -> None:
    """The whole run for 10,000 people: each path at each size, and no growing table read from end to end for one
    person's page."""
    growth.run(10_000, 1, None, tmp_path)
    found_out = orjson.loads((tmp_path / "scale.json").read_bytes())
    figures = found_out["paths"]
    assert figures["decide, one at a time"]["10,000"]["decisions"] == 20
    assert figures["feed operations, 1000 new"]["10,000"]["events"] > 900
    assert figures["feed operations, 0 new"]["10,000"]["events"] == 0
    assert found_out["sets"]["10,000"]["donors"]["count"] == found_out["sets"]["10,000"]["snapshot"]["count"] // 100
    assert not [
        plan["scans"] for page in ("status", "activity") for plan in found_out["plans"]["10,000"][page] if plan["scans"]
    ]
    assert "| decide, one at a time |" in (tmp_path / "scale.md").read_text()


def test_each_benchmark_is_found_by_its_file() -> None:
    """Adding one is adding a file."""
    assert {"w1", "w2", "w3", "w4"} <= found().keys()


def test_all_that_retrieve_get_the_same() -> None:
    """W1: our job, split by day and page by page, keeps what fhirclient gets; a search that fails is named and nothing
    else is missing; never more at once than promised (asserted inside the arms)."""
    arms = ("fhirclient, 8 threads", "ours, opaque", "ours, split", "ours, a 500 and a 429")
    with RETRIEVE.world(True) as shared:
        outcomes = take_turn(_only(RETRIEVE, *arms), shared, 0)
    assert {one.count for one in outcomes.values()} == {3_000}


def test_the_curve_of_everyone_is_a_row_for_each_arm() -> None:
    """Times of a person at each size, and beside ours how often the raw arm's; what was not run is said so."""
    raw, ours = {"us": 4.0, "load": 1.0}, {"us": 9.0, "memory_mb": 120.4, "load": 2.0}
    written = as_markdown({"sizes": [100, 1_000], "found": {"100": {"raw COPY": raw, "warehouse filled": ours}}})
    assert "| raw COPY | 4.0 | - |" in written
    assert "| warehouse filled | 9.0 (2.2x), 120 MB | - |" in written
    assert "1.0 to 2.0" in written
