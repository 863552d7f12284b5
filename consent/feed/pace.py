"""How long to wait before the next try. Pure: `chance` is a random number in [0, 1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Pace:
    """Doubling waits from `first_seconds` up to `longest_seconds`, for ever, with up to a fifth
    on top so that senders do not knock together.

    The wait is never much longer than the outage so far, and seven days without an answer cost under 200 tries.
    `split_after` failures make a batch smaller; `batch` is the number of positions read at once,
    `backfill` that of the decisions in one batch of a backfill.
    """

    first_seconds: float = 1.0
    longest_seconds: float = 3600.0
    split_after: int = 2
    batch: int = 1_000
    backfill: int = 5_000

    def wait(self, failures: int, chance: float, asked_seconds: int | None = None) -> timedelta:
        """The wait after `failures` tries in a row; never less than what the store asked for (Retry-After)."""
        exponent = min(max(failures, 1) - 1, 30)
        seconds = min(self.longest_seconds, self.first_seconds * 2**exponent) * (1 + chance / 5)
        return timedelta(seconds=max(seconds, asked_seconds or 0))
