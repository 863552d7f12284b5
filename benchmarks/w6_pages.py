"""W6: the pages of a signed-in person, on the product's own web server.

G6.1: beside bare pages of equal bytes and statements on the same server, 16 connections that never rest. G6.2: how long
the slowest hundredth takes for 64 connections, that never rest (a closed loop: then this is the server's rate said in
another way) and that belong to 64 people who each open a page a second. G6.3: a long record's pages beside a short
one's. G6.4: the times of the same people while a store is filled and donated records are released.
"""

from __future__ import annotations

import hashlib
import http.client
import time
from collections.abc import Callable
from contextlib import nullcontext
from statistics import median

from benchmarks.harness.arms import Arm, Benchmark, Goal, Outcome
from benchmarks.w6_driver import Order, Seen, drive
from benchmarks.w6_meanwhile import Done, busy
from benchmarks.w6_world import LONG, PEOPLE, SHORT, World, world

LOOKS = 40
AT_ONCE = 16
SECONDS, LONGER = 8.0, 30.0
LOOKED_AT = ("overview", "list", "choices")
"""The pages that a bare one stands beside."""
WALK = ("overview", "list", "entry", "middle_of_list", "choices", "download")
"""What each of the 64 people opens, one after the other."""
QUIET, BUSY = "64 people", "64 people, while a store is filled and records are released"
NO_REST = "64 connections without rest"
SEEN = hashlib.sha256(b"every page was answered with 200").hexdigest()
Run = Callable[[World, int], Outcome]


def pages_of(name: str) -> Run:
    """Each page of a record `LOOKS` times, one after the other: the median of each in ms, and the largest in kB."""

    def run(world: World, _turn: int) -> Outcome:
        cookie, pages = world.people[name]
        connection = http.client.HTTPConnection("127.0.0.1", world.port, timeout=60)
        figures, largest = {}, 0
        for page, path in pages.items():
            took = []
            for _ in range(3 if world.small else LOOKS):
                began = time.perf_counter()
                connection.request("GET", path, headers={"cookie": cookie})
                answer = connection.getresponse()
                body = answer.read()
                took.append(time.perf_counter() - began)
                assert answer.status == 200, (path, answer.status)
            figures[f"{page}_ms"], largest = median(took) * 1000, max(largest, len(body))
        connection.close()
        return _outcome({**figures, "html_kb": largest / 1000})

    return run


def real(page: str) -> Run:
    """How many of a page the product gives in a second."""
    return lambda world, _turn: _rate(world, world.port, _walked(world, (page,)), page)


def bare(page: str) -> Run:
    """How many of its bare counterpart."""
    number = list(_paths()).index(page)
    return lambda world, _turn: _rate(world, world.bare, ((f"/{number}", "none=none"),), page)


def without_rest(world: World, _turn: int) -> Outcome:
    """64 connections, each of which asks again as soon as it was answered."""
    return _times(drive(Order(world.port, _walked(world), PEOPLE, _seconds(world, SECONDS))))


def people(*, meanwhile: bool) -> Run:
    """64 people, each of whom opens a page a second, at moments of their own."""

    def run(world: World, _turn: int) -> Outcome:
        order = Order(world.port, _walked(world), PEOPLE, _seconds(world, LONGER), float(PEOPLE))
        with busy(world.ledger) if meanwhile else nullcontext(Done()) as done:
            before = done.releases
            seen = drive(order)
            released = done.releases - before
        assert (released and done.told) or not meanwhile, f"{released} records released, {done.told} changes told"
        return _times(seen, fillings=float(done.fillings), told=float(done.told), released=float(released))

    return run


def _rate(world: World, port: int, pages: tuple[tuple[str, str], ...], page: str) -> Outcome:
    seen = drive(Order(port, pages, AT_ONCE, _seconds(world, SECONDS)))
    return _outcome({f"{page}_per_second": seen.per_second, f"{page}_bytes": float(seen.largest)})


def _walked(world: World, pages: tuple[str, ...] = WALK) -> tuple[tuple[str, str], ...]:
    """Everyone's pages in turn, so that no two who follow each other open the same one."""
    paths = world.people[SHORT][1]
    return tuple(
        (paths[pages[(n + n // PEOPLE) % len(pages)]], cookie) for n, cookie in enumerate(world.crowd * len(pages))
    )


def _seconds(world: World, usual: float) -> float:
    return usual / 8 if world.small else usual


def _times(seen: Seen, **more: float) -> Outcome:
    figures = {"p99_ms": seen.p99_ms, "median_ms": seen.median_ms, "per_second": seen.per_second}
    return _outcome({**figures, "waited": float(seen.waited), **more})


def _outcome(figures: dict[str, float]) -> Outcome:
    """Any page that is not answered with 200 ends the run, so that this stands for all."""
    return Outcome(1, SEEN, figures)


def _paths() -> tuple[str, ...]:
    return ("overview", "list", "middle_of_list", "entry", "download", "choices")


def _longer(page: str) -> Goal:
    return Goal(f"G6.3 {page}", LONG, f"{page}_ms", 1.2, over=SHORT, at_most=True)


BENCHMARK = Benchmark(
    "w6",
    (
        *(
            arm
            for page in LOOKED_AT
            for arm in (Arm(f"{page}, bare", bare(page)), Arm(f"{page}, signed in", real(page)))
        ),
        Arm(SHORT, pages_of(SHORT)),
        Arm(LONG, pages_of(LONG)),
        Arm(NO_REST, without_rest),
        Arm(QUIET, people(meanwhile=False)),
        Arm(BUSY, people(meanwhile=True)),
    ),
    (
        *(
            Goal(f"G6.1 {page}", f"{page}, signed in", f"{page}_per_second", 0.6, over=f"{page}, bare")
            for page in LOOKED_AT
        ),
        Goal("G6.2 without rest", NO_REST, "p99_ms", 60, at_most=True),
        Goal("G6.2 people", QUIET, "p99_ms", 60, at_most=True),
        *(_longer(page) for page in ("overview", "list", "middle_of_list", "entry", "download")),
        Goal("G6.3 HTML", LONG, "html_kb", 100, at_most=True),
        Goal("G6.4", BUSY, "p99_ms", 2, over=QUIET, at_most=True),
    ),
    world,
)
