"""How the machine is at this moment: flushes a second, JSON a second, bare pages a second (first and last in a run)."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks.harness.bare_pages import hello_rate

LARGEST_DRIFT = 0.30


@dataclass(frozen=True)
class Probe:
    """`flushes`: fdatasync of 8 kB a second; `json_mb`: orjson megabytes a second, there and back; `pages`: hello
    pages a second on a bare server; `load`: the load average."""

    flushes: float
    json_mb: float
    pages: float
    load: float

    def drift(self, later: Probe) -> float:
        """The largest relative difference of any of the three, 0.3 for 30 %."""
        pairs = ((self.flushes, later.flushes), (self.json_mb, later.json_mb), (self.pages, later.pages))
        return max(max(one, other) / min(one, other) - 1 for one, other in pairs)


def measure(folder: Path, seconds: float = 0.4) -> Probe:
    """The three probes, in about three times `seconds`; `folder` is on the disk that matters."""
    return Probe(
        round(_flushes(folder, seconds), 1),
        round(_json(seconds), 1),
        round(hello_rate(seconds), 1),
        round(os.getloadavg()[0], 2),
    )


def probe(folder: Path) -> dict[str, Any]:
    """The same for a report."""
    return asdict(measure(folder))


def _flushes(folder: Path, seconds: float) -> float:
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        done, began = 0, time.monotonic()
        while time.monotonic() - began < seconds:
            os.pwrite(file.fileno(), b"x" * 8192, 0)
            os.fdatasync(file.fileno())
            done += 1
        return done / (time.monotonic() - began)


def _json(seconds: float) -> float:
    document = [{"event": n, "version": 1, "state": "applied", "at": "2026-11-22T04:17:59Z"} for n in range(2_000)]
    size, done, began = len(orjson.dumps(document)), 0, time.monotonic()
    while time.monotonic() - began < seconds:
        orjson.loads(orjson.dumps(document))
        done += 1
    return done * size / 1e6 / (time.monotonic() - began)
