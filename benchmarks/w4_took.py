"""What a run took for each decision: by the clock, and of processor time (ours, and the server's where it works)."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple


class Took(NamedTuple):
    """Seconds for each decision. On a machine that others use, only `processor` says what the work costs."""

    clock: float
    processor: float


def took(work: Callable[[], object], decisions: int, backend: int | None = None) -> Took:
    """Do it once; `backend` is the process of a PostgreSQL connection on this machine that works for us."""
    served, spent, began = served_seconds(backend), time.process_time(), time.perf_counter()
    work()
    clock, spent = time.perf_counter() - began, time.process_time() - spent
    return Took(clock / decisions, (spent + served_seconds(backend) - served) / decisions)


def served_seconds(backend: int | None) -> float:
    """Processor time of another process since it began (Linux: the first number of its schedstat, nanoseconds)."""
    return 0.0 if backend is None else int(Path(f"/proc/{backend}/schedstat").read_text().split()[0]) / 1e9


def middle(times: Sequence[Took]) -> Took:
    return Took(statistics.median(t.clock for t in times), statistics.median(t.processor for t in times))
