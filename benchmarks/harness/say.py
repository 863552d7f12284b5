"""Lines on the terminal while a benchmark runs."""

from __future__ import annotations

import sys
import time

_BEGAN = time.monotonic()


def say(line: str) -> None:
    """One line with the seconds since the start, at once."""
    sys.stdout.write(f"[{time.monotonic() - _BEGAN:7.1f}s] {line}\n")
    sys.stdout.flush()
