"""What a store that is down, slow, hostile or lying costs the others: the same work with it and without it, by turns.

`python -m tests.crash.bad_stores --reps 5 --report FILE.md`. Two good stores are told of the same decisions by the real
feed: alone, beside a third that is good, and beside one that is bad. Time is from the start of the feed until both good
stores have everything. The good stores live in a process of their own, the third in another.
"""

from __future__ import annotations

import argparse
import gzip
import inspect
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

from consent.decision import Answer
from consent.feed.run import note_stores, run_feed
from consent.record_decision import insert_decisions
from consent.sequencer import sequence_once
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
from tests.support.postgres import TestDatabase

PEOPLE, DECISIONS = 400, 40_000
WELL = ("well-1", "well-2")
ALONE, GOOD = "", "good"
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
    """Stores until the input ends; each line has their names, and behind a bar how they behave from now on."""
    stores: list[Receiver] = []
    for line in sys.stdin:
        if line.strip() == "count":
            sys.stdout.write(json.dumps([len(store.effects) for store in stores]) + "\n")
        else:
            names, _, asked = line.strip().partition("|")
            for store in stores:
                store.stop()
            stores = [Receiver(name, SECRET, _Now()) for name in names.split()]
            how = BAD.get(asked)
            for store in stores:
                store.misbehave = _misbehaving(store, how) if how else None
            sys.stdout.write(json.dumps([store.endpoint for store in stores]) + "\n")
        sys.stdout.flush()


def _misbehaving(store: Receiver, how: Callable[[Any], Any]) -> Callable[[str, Any, Any], Any]:
    def misbehave(message: str, _events: Any, good: Any) -> Any:
        if how is _slow:
            return how(good) if good[0] else None
        return how(good if good[0] else store.answer(message, []))

    return misbehave


class Stores:
    """A process of stores."""

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


def one_run(ledger: Ledger, third: str) -> float:
    """Seconds until both good stores, new ones, have every decision; `third` says how the third store behaves."""
    ledger.runs += 1
    names = [f"{name}-{ledger.runs}" for name in WELL]
    endpoints = dict(zip(names, ledger.well.ask(" ".join(names)), strict=True))
    if third != ALONE:
        name = f"third-{ledger.runs}"
        endpoints[name] = ledger.third.ask(f"{name}|{third}")[0]
    told = [replace(TEMPUS, id=name, endpoint=where) for name, where in endpoints.items()]
    note_stores(ledger.database.worker, told, datetime.now(UTC))
    with _feeding(ledger.database, ledger.ring, told):
        began = time.monotonic()
        while min(ledger.well.ask("count")) < ledger.decisions:
            assert time.monotonic() - began < LONGEST_SECONDS, f"{third}: the others stand still"
            time.sleep(0.01)
        return time.monotonic() - began


@dataclass
class Ledger:
    """Decisions in their order, and those who are told of them; `runs` counts, so that each has stores of its own."""

    database: TestDatabase
    ring: KeyRing
    well: Stores
    third: Stores
    decisions: int
    runs: int = 0


@contextmanager
def ledger_of(decisions: int) -> Iterator[Ledger]:
    ring, well, third = KeyRing.fresh(demo=True), Stores(), Stores()
    try:
        with server() as postgres, fresh_database(postgres, ring) as database:
            people = [person(database, number) for number in range(PEOPLE)]
            _decide(database, people, decisions)
            while sequence_once(database.worker, datetime.now(UTC)):
                pass
            yield Ledger(database, ring, well, third, decisions)
    finally:
        well.close()
        third.close()


def _decide(database: TestDatabase, people: list[UUID], decisions: int) -> None:
    made = []
    for number in range(decisions):
        turn, which = divmod(number, len(people))
        answer = (Answer.NO, Answer.YES)[turn % 2]
        made.append(decided(1 + turn, answer=answer, person=people[which], idempotency_key=f"form-{number}"))
    with database.web.begin(as_persons(*people)) as session:
        for start in range(0, decisions, 500):
            insert_decisions(session, made[start : start + 500], "decision.recorded")


@contextmanager
def _feeding(database: TestDatabase, ring: KeyRing, told: list[Store]) -> Iterator[None]:
    stop = threading.Event()
    http = OutboundClient(AllowList([destination(store.endpoint, private=True) for store in told]))
    feed = threading.Thread(target=run_feed, args=(database.worker, ring, told, http, stop), daemon=True)
    feed.start()
    try:
        yield
    finally:
        stop.set()
        feed.join(3)
        http.close()


Times = dict[str, list[dict[str, float]]]


def measure(reps: int, decisions: int = DECISIONS) -> Times:
    """For each bad store the seconds of each turn: alone, beside a good third one, beside this one (its own name). The
    order within a turn changes from one to the next; the first run of each sort is thrown away."""
    found: Times = {third: [] for third in BAD}
    with ledger_of(decisions) as ledger:
        for third in (ALONE, GOOD, *BAD):
            one_run(ledger, third)
        for rep in range(reps):
            for number, third in enumerate(BAD):
                arms = (ALONE, GOOD, third)
                first = (rep + number) % len(arms)
                found[third].append({arm: one_run(ledger, arm) for arm in (*arms[first:], *arms[:first])})
    return found


def as_markdown(found: Times, reps: int) -> str:
    lines = [
        "# What a bad store costs the others",
        "",
        f"`python -m tests.crash.bad_stores --reps {reps}`. {DECISIONS:,} decisions of {PEOPLE:,} people for two good"
        " stores, told by the real feed: alone, beside a third that is good, and beside one that is bad, by turns. A"
        " figure is the time until both good stores have everything, over that of the same turn beside a good third:"
        f" the median of {reps} turns, and at most {GOAL:.2f} is the goal. Below 1 is possible, for a store that fails"
        " is asked less often than a good one. The last two columns say the same over no third store at all: there the"
        " third, the feed's work for it and its own process included, takes its share of the same processors.",
        "",
        "| The third store | ratio | lowest to highest | seconds | goal | over none | a good one over none |",
        "|---|---:|---:|---:|---|---:|---:|",
    ]
    for third, turns in found.items():
        ratios = sorted(turn[third] / turn[GOOD] for turn in turns)
        ratio, seconds = median(ratios), median(turn[third] for turn in turns)
        none, good = (median(turn[arm] / turn[ALONE] for turn in turns) for arm in (third, GOOD))
        said = "met" if ratio <= GOAL else "MISSED"
        lines.append(
            f"| {third} | {ratio:.2f} | {ratios[0]:.2f} to {ratios[-1]:.2f} | {seconds:.2f} | {said} | {none:.2f} |"
            f" {good:.2f} |"
        )
    load = os.getloadavg()[0]
    return "\n".join([*lines, "", f"Load average at the end {load:.1f} on {os.cpu_count()} processors."]) + "\n"


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
