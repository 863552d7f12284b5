"""What a store that is down, slow, hostile or lying costs the others: the same work with it and without it, by turns.

`python -m tests.crash.bad_stores --reps 5 --report FILE.md`. Two good stores and a third are told of the same decisions
by the real feed; the third is good (the measure) or bad. Time is from the start of the feed until both good stores have
everything. Stores live in a process of their own.
"""

from __future__ import annotations

import argparse
import gzip
import inspect
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

from consent.decision import Answer
from consent.feed.run import note_stores, run_feed
from consent.record_decision import insert_decisions
from consent.store_config import Store
from database.context import as_persons
from database.keyring import KeyRing
from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination
from tests.parts.consent.people import person
from tests.parts.consent.receiver import Clock, Receiver
from tests.pure.consent.decisions import decided
from tests.pure.consent.stores import SECRET, TEMPUS
from tests.support import postgres as postgres_support
from tests.support.postgres import Server

PEOPLE, DECISIONS = 60, 4_000
NAMES = ("well-1", "well-2", "third")
GOAL = 1.10
LONGEST_SECONDS = 120.0
SLOW_SECONDS = 2.0
BOMB = gzip.compress(b"\0" * 50_000_000)

server = contextmanager(inspect.unwrap(postgres_support.postgres))
fresh_database = contextmanager(inspect.unwrap(postgres_support.database))


def _hang_up() -> Any:
    raise ConnectionError("no answer")


def _slow(good: Any) -> Any:
    time.sleep(SLOW_SECONDS)
    return good


BAD: dict[str, Callable[[Any], Any]] = {
    "hangs up": lambda good: _hang_up(),
    "answers 503": lambda good: (503, {}, b""),
    "answers each time after 2 s": _slow,
    "200 with an error in the body": lambda good: (200, {"content-type": "application/json"}, b'{"error": "later"}'),
    "truncated answer": lambda good: (200, {**good[1], "content-length": "99999", "connection": "close"}, good[2][:40]),
    "redirect elsewhere": lambda good: (307, {"location": "http://localhost:1/"}, b""),
    "wrong type": lambda good: (200, {**good[1], "content-type": "text/html"}, b"<html>fine</html>"),
    "gzip bomb of 50 MB": lambda good: (200, {**good[1], "content-encoding": "gzip"}, BOMB),
    "never answers": lambda good: _slow_for_ever(),
}


def _slow_for_ever() -> Any:
    time.sleep(600)
    return 503, {}, b""


class _Now(Clock):
    def __call__(self) -> datetime:
        return datetime.now(UTC)


def serve_stores() -> None:
    """Three stores until the input ends; each line names how the third behaves from now on, and empties all."""
    stores = [Receiver(name, SECRET, _Now()) for name in NAMES]
    for line in sys.stdin:
        asked = line.strip()
        if asked == "count":
            sys.stdout.write(json.dumps([len(store.effects) for store in stores]) + "\n")
        else:
            for store in stores:
                store.stop()
            stores = [Receiver(name, SECRET, _Now()) for name in NAMES]
            how = BAD.get(asked)
            if how is not None:
                stores[2].misbehave = _misbehaving(stores[2], how)
            sys.stdout.write(json.dumps([store.endpoint for store in stores]) + "\n")
        sys.stdout.flush()


def _misbehaving(store: Receiver, how: Callable[[Any], Any]) -> Callable[[str, Any, Any], Any]:
    def misbehave(message: str, _events: Any, good: Any) -> Any:
        if how is _slow:
            return how(good) if good[0] else None
        return how(good if good[0] else store.answer(message, []))

    return misbehave


class Stores:
    """The process of the stores."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", "from tests.crash.bad_stores import serve_stores; serve_stores()"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line: str) -> list[Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        found: list[Any] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


def one_run(postgres: Server, ring: KeyRing, stores: Stores, third: str, decisions: int) -> float:
    """Seconds until both good stores have every decision."""
    endpoints = zip(NAMES, stores.ask(third), strict=True)
    told = [replace(TEMPUS, id=name, endpoint=where) for name, where in endpoints]
    with fresh_database(postgres, ring) as database:
        note_stores(database.worker, told, datetime.now(UTC))
        people = [person(database, number) for number in range(PEOPLE)]
        _decide(database, people, decisions)
        with _feeding(database, ring, told):
            began = time.monotonic()
            while min(stores.ask("count")[:2]) < decisions:
                assert time.monotonic() - began < LONGEST_SECONDS, f"{third}: the others stand still"
                time.sleep(0.01)
            return time.monotonic() - began


def _decide(database: postgres_support.TestDatabase, people: list[UUID], decisions: int) -> None:
    made = []
    for number in range(decisions):
        turn, which = divmod(number, len(people))
        answer = (Answer.NO, Answer.YES)[turn % 2]
        made.append(decided(1 + turn, answer=answer, person=people[which], idempotency_key=f"form-{number}"))
    with database.web.begin(as_persons(*people)) as session:
        for start in range(0, decisions, 500):
            insert_decisions(session, made[start : start + 500], "decision.recorded")


@contextmanager
def _feeding(database: postgres_support.TestDatabase, ring: KeyRing, told: list[Store]) -> Iterator[None]:
    stop = threading.Event()
    http = OutboundClient(AllowList([destination(store.endpoint, private=True) for store in told]))
    feed = threading.Thread(target=run_feed, args=(database.worker, ring, told, http, stop), daemon=True)
    feed.start()
    try:
        yield
    finally:
        stop.set()
        feed.join(1)
        http.close()


def measure(reps: int, decisions: int = DECISIONS) -> dict[str, list[tuple[float, float]]]:
    """For each bad store the pairs (seconds without, seconds with it); the first pair of all is thrown away."""
    stores, found = Stores(), dict[str, list[tuple[float, float]]]()
    ring = KeyRing.fresh(demo=True)
    try:
        with server() as postgres:
            one_run(postgres, ring, stores, "good", decisions)
            for _ in range(reps):
                for third in BAD:
                    good = one_run(postgres, ring, stores, "good", decisions)
                    found.setdefault(third, []).append((good, one_run(postgres, ring, stores, third, decisions)))
    finally:
        stores.close()
    return found


def as_markdown(found: dict[str, list[tuple[float, float]]], reps: int) -> str:
    lines = [
        "# What a bad store costs the others",
        "",
        f"`python -m tests.crash.bad_stores --reps {reps}`. {DECISIONS:,} decisions for two good stores and a third,"
        " told by the real feed. A figure is the time until both good stores have everything with a bad third store,"
        f" over that with a good one: the median of {reps} pairs run by turns. At most {GOAL:.2f} is the goal; below 1"
        " is possible, for a store that fails is asked less often than a good one.",
        "",
        "| The third store | ratio | seconds with a good one | with this one | goal |",
        "|---|---:|---:|---:|---|",
    ]
    for third, pairs in found.items():
        ratio = median(bad / good for good, bad in pairs)
        good, bad = (median(pair[which] for pair in pairs) for which in (0, 1))
        said = "met" if ratio <= GOAL else "MISSED"
        lines.append(f"| {third} | {ratio:.2f} | {good:.2f} | {bad:.2f} | {said} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    given = argparse.ArgumentParser(prog="python -m tests.crash.bad_stores", description=__doc__)
    given.add_argument("--reps", type=int, default=5)
    given.add_argument("--report", type=Path)
    chosen = given.parse_args()
    text = as_markdown(measure(chosen.reps), chosen.reps)
    sys.stdout.write(text)
    if chosen.report:
        chosen.report.write_text(text, encoding="utf-8")
    return 1 if "MISSED" in text else 0


if __name__ == "__main__":
    sys.exit(main())
