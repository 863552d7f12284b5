"""`python -m benchmarks w2 --reps 5 --json out.json`, `python -m benchmarks all`, `… scale`, `… everyone`."""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import orjson

from benchmarks.harness.arms import Benchmark, Result, lines, run
from benchmarks.harness.probes import measure
from benchmarks.harness.say import say
from benchmarks.scale import everyone, growth

HERE = Path(__file__).parent


def found() -> dict[str, Path]:
    """Every `wN_….py` of this folder that is a program of its own or holds a `BENCHMARK`, by its number."""
    marks = ("\nBENCHMARK = ", "\ndef main(")
    files = {path: path.read_text(encoding="utf-8") for path in sorted(HERE.glob("w[0-9]_*.py"))}
    return {path.stem.split("_")[0]: path for path, text in files.items() if any(mark in text for mark in marks)}


def run_one(path: Path, asked: argparse.Namespace) -> Result | None:
    """The result; None of a program of its own, which says its own and ends with 0 when its goals were met."""
    if "\nBENCHMARK = " not in path.read_text(encoding="utf-8"):
        subprocess.run([sys.executable, "-m", f"benchmarks.{path.stem}", "--reps", str(asked.reps)], check=True)
        return None
    benchmark = narrowed(importlib.import_module(f"benchmarks.{path.stem}").BENCHMARK, asked.only)
    with tempfile.TemporaryDirectory() as folder:
        result = run(benchmark, asked.reps, lambda: measure(Path(folder)), small=asked.small)
    for line in lines(result):
        say(line)
    return result


def narrowed(benchmark: Benchmark, only: str) -> Benchmark:
    """The arms in whose names the words stand, and the goals that these can show."""
    arms = tuple(arm for arm in benchmark.arms if only in arm.name)
    names = {arm.name for arm in arms}
    goals = tuple(goal for goal in benchmark.goals if goal.arm in names and (not goal.over or goal.over in names))
    return replace(benchmark, arms=arms, goals=goals)


def main() -> int:
    """0 when every goal was met."""
    benchmarks = found()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="+", choices=[*benchmarks, "all", "scale", "everyone"])
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", default="", help="the arms in whose names this stands, such as '100 changes'")
    parser.add_argument("--small", action="store_true", help="about a tenth: shows that the harness works, no speed")
    parser.add_argument("--people", type=int, default=10_000_000, help="scale, everyone: the largest size")
    parser.add_argument("--data", type=Path, help="scale, everyone: keep the filled databases here")
    parser.add_argument("--filled", action="store_true", help="scale, everyone: --data holds them already")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "benchmarks")
    asked = parser.parse_args()
    if asked.what == ["scale"]:
        growth.run(asked.people, asked.reps, asked.data, asked.out, filled=asked.filled)
        return 0
    if asked.what == ["everyone"]:
        everyone.run(asked.people, asked.data, asked.out, filled=asked.filled)
        return 0
    names = list(benchmarks) if "all" in asked.what else asked.what
    results = [result for name in names if (result := run_one(benchmarks[name], asked)) is not None]
    if asked.json:
        asked.json.write_bytes(orjson.dumps([asdict(one) for one in results], option=orjson.OPT_INDENT_2))
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
