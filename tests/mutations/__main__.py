"""`python -m tests.mutations [count] [seed]`: 100,000 spoiled entries, what became of the good ones beside them."""

from __future__ import annotations

import sys
import time

from tests.mutations.trials import run


def main() -> int:
    """Exit 0 when nothing broke, at least 99.9 % of good entries came through and each that did not come is named."""
    count, seed = (*map(int, sys.argv[1:3]), 100_000, 7)[:2] if len(sys.argv) != 2 else (int(sys.argv[1]), 7)
    started = time.monotonic()
    told = run(count, seed)
    took = time.monotonic() - started
    sys.stdout.write(
        f"{told.spoiled} spoiled entries among {told.good} good ones in {took:.0f} s (seed {seed})\n"
        f"good ones kept: {told.kept_share:.4%}; spoiled ones left out and named: {told.dropped.total()}"
        f" {dict(told.dropped)}; left out without a name: {told.unnamed}\n"
        f"broken: {dict(told.broken.most_common(20))}\n"
    )
    return 0 if not told.broken and not told.unnamed and told.kept_share >= 0.999 else 1


if __name__ == "__main__":
    sys.exit(main())
