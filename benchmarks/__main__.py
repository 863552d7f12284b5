"""`python -m benchmarks w2 --reps 5 --json out.json`, `python -m benchmarks all`, `python -m benchmarks scale`."""

from __future__ import annotations

import argparse
import importlib
import tempfile
from dataclasses import asdict
from pathlib import Path

import orjson

from benchmarks.harness.arms import Benchmark, lines, run
from benchmarks.harness.probes import measure
from benchmarks.harness.say import say
from benchmarks.scale import growth

HERE = Path(__file__).parent


def found() -> dict[str, Benchmark]:
    """Every `wN_….py` of this folder, by its number."""
    made = {}
    for path in sorted(HERE.glob("w[0-9]_*.py")):
        module = importlib.import_module(f"benchmarks.{path.stem}")
        made[path.stem.split("_")[0]] = module.BENCHMARK
    return made


def main() -> int:
    """0 when every goal was met."""
    benchmarks = found()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="+", choices=[*benchmarks, "all", "scale"])
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--small", action="store_true", help="about a tenth: shows that the harness works, no speed")
    parser.add_argument("--people", type=int, default=10_000_000, help="scale: the largest size")
    parser.add_argument("--data", type=Path, help="scale: keep the filled databases here")
    parser.add_argument("--filled", action="store_true", help="scale: --data holds them already")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "benchmarks")
    asked = parser.parse_args()
    if asked.what == ["scale"]:
        growth.run(asked.people, asked.reps, asked.data, asked.out, filled=asked.filled)
        return 0
    results = []
    for name in benchmarks if "all" in asked.what else asked.what:
        with tempfile.TemporaryDirectory() as folder:
            result = run(benchmarks[name], asked.reps, lambda at=Path(folder): measure(at), small=asked.small)  # type: ignore[misc]
        results.append(result)
        for line in lines(result):
            say(line)
    if asked.json:
        asked.json.write_bytes(orjson.dumps([asdict(one) for one in results], option=orjson.OPT_INDENT_2))
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
