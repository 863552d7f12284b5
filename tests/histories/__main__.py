"""`python -m tests.histories [count] [seed]`: 100,000 random histories, and every order of seven with repeats."""

from __future__ import annotations

import sys
import time

from tests.histories.trials import run

COUNT, SEED, LENGTH = 100_000, 7, 7


def main() -> int:
    """Exit 0 when nothing was wrong."""
    given = [int(each) for each in sys.argv[1:3]]
    count, seed = (*given, *(COUNT, SEED)[len(given) :])
    started = time.monotonic()
    told = run(count, seed, LENGTH)
    took = time.monotonic() - started
    sys.stdout.write(f"{told.looked_at.pop('histories', 0):,} histories in {took:.0f} s, seed {seed}\n")
    for what, times in told.looked_at.items():
        sys.stdout.write(f"{what}: {told.wrong[what]} wrong of {times:,}\n")
    return 1 if told.wrong.total() else 0


if __name__ == "__main__":
    sys.exit(main())
