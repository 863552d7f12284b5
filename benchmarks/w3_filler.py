"""The product's backfill in a process of its own, with nothing of the benchmarks in its memory but this.

`python -m benchmarks.w3_filler` reads a pickle of the worker's URL, the key ring's file and the store, fills it, and
writes as JSON the seconds, those of the processor for this process, and megabytes (the most that it ever held). Not
`ru_maxrss`: of a process begun by another that is what the other held, when that was more.
"""

from __future__ import annotations

import json
import logging
import pickle
import sys
import time
from pathlib import Path

import structlog

from consent.backfill.run import backfill
from consent.feed.run import utc_now
from consent.store_config import Kind, Store
from consent.stores.adapters import adapter_for
from database.keyring import KeyRing
from database.unit_of_work import Database
from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination


def fill(url: str, ring_file: Path, store: Store) -> dict[str, float]:
    """How long it took, and what the process needed for it."""
    reached = [destination(store.endpoint, private=True)] if store.kind is Kind.WEBHOOK else []
    http = OutboundClient(AllowList(reached))
    ring, database = KeyRing.load(ring_file), Database(url)
    began, used = time.perf_counter(), time.process_time()
    done = backfill(database, ring, adapter_for(store, http, utc_now, ring), utc_now)
    took, used = time.perf_counter() - began, time.process_time() - used
    assert done.is_done, done
    database.close()
    http.close()
    return {"seconds": took, "processor": used, "memory_mb": most_held_mb()}


def most_held_mb() -> float:
    """The most memory that this program ever held, in megabytes (proc(5), VmHWM)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) / 1024


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    sys.stdout.write(json.dumps(fill(*pickle.load(sys.stdin.buffer))))  # noqa: S301 - from the benchmark that began it
