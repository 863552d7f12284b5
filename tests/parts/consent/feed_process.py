"""A feed process for tests that kill it: `python -m tests.parts.consent.feed_process URL KEYRING ENDPOINT`."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from pathlib import Path

from consent.feed.pace import Pace
from consent.feed.run import run_feed
from database.keyring import KeyRing
from database.unit_of_work import Database
from outbound.breaker import Breaker
from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination
from tests.pure.consent.stores import CANCERLINQ_STORE


def main(url: str, ring: str, endpoint: str) -> None:
    store = replace(CANCERLINQ_STORE, endpoint=endpoint)
    http = OutboundClient(AllowList([destination(endpoint, private=True)]), breaker=Breaker(threshold=10_000))
    pace = Pace(first_seconds=0.05, longest_seconds=0.2, batch=7)
    run_feed(Database(url, pool_size=8), KeyRing.load(Path(ring)), [store], http, threading.Event(), pace=pace)


if __name__ == "__main__":
    main(*sys.argv[1:])
