"""Our arms of W1: the product's own job as a worker runs it: tokens, states per type, encryption, PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from subprocess import PIPE
from uuid import UUID

import psycopg

from benchmarks.harness.arms import Outcome
from benchmarks.harness.postgres import BenchDatabase
from benchmarks.harness.processor import seconds_of
from benchmarks.w1_world import World, hospital, quiet
from database.keyring import KeyRing
from database.unit_of_work import Database

OPAQUE, SPLITTING = 8, 16
WORKERS = 2
JOBS_AT_ONCE = 4
"""As `portal worker --concurrency` has it when nothing is said."""
LONGEST, LONGEST_SPLIT = 18, 1
Run = Callable[[World, int], Outcome]


def ours(*, dates: bool, known: bool = True, latency_ms: float | None = None, page: int = 50) -> Run:
    """One record, to its last commit. `dates`: its searches can be split by day, with 16 connections instead of 8."""

    def run(world: World, _turn: int) -> Outcome:
        usual = world.latency_ms
        world.latency_ms = latency_ms or usual
        try:
            world.manner(dates=dates, page=page)
            person, times = world.fetched(known=known)
            at_once = SPLITTING if dates else OPAQUE
            assert world.counts()["most_at_once"] <= at_once, world.counts()
            longest = LONGEST_SPLIT if dates else LONGEST * 50 // page
            times["of_floor"] = times["seconds"] / world.floor(at_once, longest, 92 if page == 50 else 60)
            times["over_two_trips_ms"] = (times["first_seconds"] - 2 * world.latency_ms / 1000) * 1000
        finally:
            world.latency_ms = usual
        kept = world.kept(person)
        return Outcome(kept.count, kept.sha256, times)

    return run


def troubled(world: World, _turn: int) -> Outcome:
    """One search answers 500 and one 429 once: the first is named, the other waited for, nothing else is missing."""
    world.manner(fails="Immunization", slows="Condition")
    person, times = world.fetched(known=True)
    with psycopg.connect(world.database.superuser_url) as connection:
        states: dict[str, str] = dict(
            connection.execute(
                "SELECT y.type, y.state FROM retrieval_type y WHERE y.person_id = %s", [person]
            ).fetchall()
        )  # fmt: skip
        missing = connection.execute(
            "SELECT %s - count(*) FROM record_entry WHERE person_id = %s AND type <> 'Patient'",
            [world.expected.count, person],
        ).fetchone()
    assert states["Immunization"] == "failed", states
    assert (states["Condition"], states["Observation"]) == ("ok", "partial"), states  # granted in part, had in full
    assert missing is not None
    assert missing[0] == 77, missing  # the immunizations of one record
    return Outcome(world.expected.count, world.expected.sha256, times)


def sixteen(world: World, _turn: int) -> Outcome:
    """16 patients asked for at once, of two worker processes for two cores that have been up for a while, each with the
    jobs at once that `portal worker` does; and the processor time of everything that took part."""
    patients = [f"p{number}" for number in range(2 if world.small else 16)]
    world.manner(dates=True)
    with at_work(world, [patients[number::WORKERS] for number in range(WORKERS)]) as workers:
        world.manner(dates=True)
        before, began = seconds_of(world.postgres), time.perf_counter()
        begin(workers)
        told = [line for worker in workers for line in tell(worker)]
        seconds = time.perf_counter() - began
    people = [UUID(line) for line in told if "-" in line]
    spent = {
        "cpu": sum(float(line) for line in told if "-" not in line),
        "cpu_postgres": seconds_of(world.postgres) - before,
        "cpu_hospital": world.counts()["cpu_seconds"],
    }
    assert world.counts()["most_at_once"] <= SPLITTING * len(patients)
    assert [entries_of(world, person) for person in people] == [world.expected.count] * len(patients)
    figures = {f"{name}_per_record": each / len(patients) for name, each in spent.items()}
    figures["of_two_cores"] = sum(spent.values()) / (2 * seconds)
    return Outcome(
        world.expected.count, world.expected.sha256, {"records_per_second": len(patients) / seconds, **figures}
    )


@contextmanager
def at_work(world: World, shares: list[list[str]]) -> Iterator[list[subprocess.Popen[str]]]:
    """Workers that have come up and brought in one record already, each with its share of the patients."""
    started = [
        subprocess.Popen([*argv_of(world, world.port), *share], stdin=PIPE, stdout=PIPE, text=True) for share in shares
    ]
    try:
        for worker in started:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        yield started
    finally:
        for worker in started:
            worker.terminate()
            worker.communicate(timeout=30)


def begin(workers: list[subprocess.Popen[str]]) -> None:
    """Tell all of them to bring their patients' records in."""
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()


def tell(worker: subprocess.Popen[str]) -> list[str]:
    """What a worker says at its end: the people whose records it brought in, and its processor seconds."""
    assert worker.stdout is not None
    return worker.stdout.read().split()


def entries_of(world: World, person: UUID) -> int:
    """How many entries of a person are kept, the Patient apart."""
    with psycopg.connect(world.database.superuser_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM record_entry WHERE person_id = %s AND type <> 'Patient'", [person]
        ).fetchone()
        return int(row[0]) if row else 0


def memory(resources: int) -> Run:
    """The peak memory of a process that brings in a record of `resources`, and of what G1.6 allows it."""

    def run(world: World, _turn: int) -> Outcome:
        found = peak_mb(world, 300 if world.small else resources)
        allowed = 1.3 * peak_mb(world, 300 if world.small else 3_000) + 50
        figures = {"memory_mb": found, "of_allowed": found / allowed}
        return Outcome(world.expected.count, world.expected.sha256, figures)

    return run


@cache
def _peak_mb(urls: str, ring_file: str, resources: int) -> float:
    with hospital(resources) as port:
        argv = [sys.executable, "-m", "benchmarks.w1_ours", urls, ring_file, str(port)]
        done = subprocess.run(argv, capture_output=True, check=True, timeout=900, env=dict(os.environ))
        return float(done.stdout.split()[-1])


def peak_mb(world: World, resources: int) -> float:
    """Of a process of its own; measured once."""
    return _peak_mb(world.database.urls.worker, str(world.ring_file), resources)


def argv_of(world: World, port: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.w1_ours", world.database.urls.worker, str(world.ring_file), str(port)]


def main() -> None:
    """A worker of its own. Without patients: bring one record in and say the peak memory in MB; with some: say when
    it is ready, wait for a line, bring all of them in at once, and say who they are and the processor seconds."""
    quiet()
    url, ring_file, port, *patients = sys.argv[1:]
    with closing(Database(url, pool_size=max(5, 2 * len(patients)))) as database:
        bench = BenchDatabase(None, "", database, database)  # type: ignore[arg-type]  # only the worker's login is used
        world = World(bench, KeyRing.load(Path(ring_file)), Path(ring_file), int(port), False)
        if patients:
            _bring(world, patients)
        else:
            world.manner(latency_ms=0, page=500)
            world.fetched(known=True)
            sys.stdout.write(f"{peak_of_this_process():.1f}\n")


def _bring(world: World, patients: list[str]) -> None:
    world.fetched_quietly(patients[0])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    cpu = time.process_time()
    with ThreadPoolExecutor(JOBS_AT_ONCE) as pool:
        people = list(pool.map(world.fetched_quietly, patients))
    sys.stdout.write("\n".join([*map(str, people), str(time.process_time() - cpu), ""]))


def peak_of_this_process() -> float:
    """In MB, by VmHWM: getrusage counts what the parent had before exec."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024


if __name__ == "__main__":
    main()
