"""`python -m tests.mutations [count] [seed]`: 100,000 spoiled entries, what became of the good ones beside them, and
for a part of them every page of a record that holds them, over HTTP (`--records`: how many such records)."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from random import Random

from tests.mutations.pages import front_door, one_record
from tests.mutations.trials import Told, run
from tests.support.scratch import use_memory

IN_A_RECORD = 40


def main() -> int:
    """Exit 0 when nothing broke, at least 99.9 % of good entries came through, each that did not come is named, and no
    page answered 5xx."""
    options = _options()
    started = time.monotonic()
    told = run(options.count, options.seed)
    took = time.monotonic() - started
    sys.stdout.write(_said(told, took, options.seed))
    sys.stdout.flush()
    pages = _pages(options.records if options.records is not None else options.count // 1000, options.seed)
    wrong = {what: count for what, count in pages.items() if what.startswith("5")}
    whole = not told.broken and not told.unnamed and told.kept_share >= 0.999
    return 0 if whole and not wrong else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=100_000)
    parser.add_argument("seed", type=int, nargs="?", default=7)
    parser.add_argument("--records", type=int)
    return parser.parse_args()


def _said(told: Told, took: float, seed: int) -> str:
    return (
        f"{told.spoiled} spoiled entries among {told.good} good ones in {took:.0f} s (seed {seed})\n"
        f"good ones kept: {told.kept_share:.4%}; spoiled ones left out and named: {told.dropped.total()}"
        f" {dict(told.dropped)}; left out without a name: {told.unnamed}\n"
        f"broken: {dict(told.broken.most_common(20))}\n"
    )


def _pages(records: int, seed: int) -> Counter[str]:
    """How often each class of status came, over HTTP, for the pages of so many records of spoiled entries."""
    random, found, started = Random(seed), Counter[str](), time.monotonic()
    if not records:
        sys.stdout.write("pages over HTTP: not asked for\n")
        return found
    use_memory()
    with front_door() as portal:
        for _ in range(records):
            found += one_record(portal, random, IN_A_RECORD)
    asked = sum(count for what, count in found.items() if what.endswith("xx"))
    sys.stdout.write(
        f"{asked} pages and files of {records} records of {IN_A_RECORD} spoiled entries, over HTTP, in"
        f" {time.monotonic() - started:.0f} s: {dict(sorted(found.items()))}\n"
    )
    return found


if __name__ == "__main__":
    sys.exit(main())
