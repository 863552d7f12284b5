"""The peers of W3: a job for each change (Procrastinate), a bare ordered outbox relay, and Celery with Redis.

Each is measured at its best: what it sends is made beforehand, so that it reads no ledger and opens no name; its jobs
are put in before its clock runs.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import procrastinate
import psycopg
import requests

from benchmarks.harness.arms import Outcome
from benchmarks.harness.say import say
from benchmarks.w3_world import COMPARED, World
from consent.wire_signature import is_genuine, sign
from database.embedded.server import free_port

PEERS = Path(__file__).parent / "peers"
JOBS = 1_500
WORKERS = 8
Told = tuple[int, str]


def lines(world: World, count: int) -> list[Told]:
    """The lines of the first changes with their numbers, as our own store gets them."""
    told = world.told_at(world.start, count)
    return [(number, orjson.dumps(_line(number, *row)).decode() + "\n") for number, row in enumerate(told, start=1)]


def _line(number: int, value: str, version: int, answer: str) -> dict[str, Any]:
    named = {"system": "urn:oid:2.16.840.1.113883.19.5", "value": value}
    return {"event": number, "subject": named, "version": version, "choice": "cancerlinq", "answer": answer}


class Poster:
    """Posts one signed line and believes only a signed receipt."""

    def __init__(self, world: World, store: str) -> None:
        self._url = f"http://127.0.0.1:{world.port}/s/{store}"
        self._secrets, self._session = world.stores[0].secrets, requests.Session()
        self._session.trust_env = False

    def post(self, number: int, line: str) -> None:
        body, now, name = line.encode(), datetime.now(UTC), f"message-{number}"
        headers = {**sign(self._secrets, name, body, now), "content-type": "application/x-ndjson"}
        answer = self._session.post(self._url, body, headers=headers, timeout=20)
        if not is_genuine(self._secrets, answer.headers, answer.content, now, message_id=name):
            raise ValueError("not signed")
        if len(answer.json()["receipts"]) != 1:
            raise ValueError("no receipt")


def procrastinate_jobs(world: World, _turn: int) -> Outcome:
    """A job for each change, eight at once; its own order is what workers make of it."""
    count = _count(world, JOBS)
    world.manner("procrastinate")
    connector = procrastinate.PsycopgConnector(conninfo=world.database.superuser_url, min_size=1, max_size=WORKERS)
    app = procrastinate.App(connector=connector)
    posters = [Poster(world, "procrastinate") for _ in range(WORKERS)]

    @app.task(name="tell", queue="w3")
    def tell(number: int, line: str) -> None:
        poster = posters.pop()
        try:
            poster.post(number, line)
        finally:
            posters.append(poster)

    async def work() -> float:
        async with app.open_async():
            jobs: list[dict[str, Any]] = [{"number": number, "line": line} for number, line in lines(world, count)]
            await tell.batch_defer_async(*jobs)
            began = time.perf_counter()
            await app.run_worker_async(
                queues=["w3"], wait=False, concurrency=WORKERS, install_signal_handlers=False, listen_notify=False
            )
            return time.perf_counter() - began

    with ThreadPoolExecutor(1) as aside:  # a thread of its own: the caller's may have a loop already
        took = aside.submit(lambda: asyncio.run(work())).result()
    return world.outcome("procrastinate", count, took, ordered=False)


def relay(delay_ms: float, most: int) -> Any:
    """An ordered outbox relay: the next row, one at a time, marked as sent when its answer is there."""

    def run(world: World, _turn: int) -> Outcome:
        count = _count(world, most)
        world.manner("relay", delay_ms=delay_ms)
        poster = Poster(world, "relay")
        with psycopg.connect(world.database.superuser_url, autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS bench_outbox")
            connection.execute("CREATE TABLE bench_outbox (id bigint PRIMARY KEY, line text, sent boolean)")
            with connection.cursor() as cursor:
                cursor.executemany("INSERT INTO bench_outbox VALUES (%s, %s, false)", lines(world, count))
            connection.execute("CREATE INDEX ON bench_outbox (id) WHERE NOT sent")
            began = time.perf_counter()
            query = "SELECT id, line FROM bench_outbox WHERE NOT sent ORDER BY id LIMIT 100"
            while rows := connection.execute(query).fetchall():
                for number, line in rows:
                    poster.post(number, line)
                    connection.execute("UPDATE bench_outbox SET sent = true WHERE id = %s", [number])
            took = time.perf_counter() - began
        return world.outcome("relay", count, took)

    return run


class Celery:
    """Celery and Redis, made when first asked for; `why_not` says what is missing."""

    def __init__(self) -> None:
        self.why_not = ""

    @cached_property
    def _home(self) -> Path:
        home = Path(tempfile.mkdtemp(prefix="w3-celery-"))
        atexit.register(shutil.rmtree, home, ignore_errors=True)
        return home

    @cached_property
    def _redis(self) -> tuple[str, dict[str, str]]:
        """The server and what it needs, with Celery's environment made beside it."""
        found = self._found_redis()
        if not self.why_not:
            self._make_environment()
        return found

    def _found_redis(self) -> tuple[str, dict[str, str]]:
        """redis-server from PATH, else unpacked from Debian's packages, which needs no right to install."""
        found = shutil.which("redis-server")
        if found:
            return found, {}
        packages = ["redis-server", "redis-tools", "libatomic1", "libjemalloc2", "liblzf1"]
        if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
            self.why_not = "no redis-server"
            return "", {}
        asked = subprocess.run(["apt-get", "download", *packages], cwd=self._home, capture_output=True, check=False)
        for package in self._home.glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(package), str(self._home / "redis")], check=True)
        server = self._home / "redis/usr/bin/redis-server"
        if asked.returncode or not server.exists():
            self.why_not = "no redis-server, and Debian's package could not be had"
        libraries = next((str(path.parent) for path in (self._home / "redis").rglob("liblzf.so.1")), "")
        return str(server), {"LD_LIBRARY_PATH": libraries}

    def _make_environment(self) -> None:
        uv = shutil.which("uv") or str(PEERS.parent.parent / ".venv-uv/bin/uv")
        python = self._home / "venv/bin/python"
        try:
            subprocess.run(
                [uv, "venv", "-q", "--python", sys.executable, str(self._home / "venv")],
                check=True,
                capture_output=True,
            )
            subprocess.run(
                [uv, "pip", "install", "-q", "--no-deps", "--python", str(python), "-r", str(PEERS / "celery.txt")],
                check=True,
                capture_output=True,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            self.why_not = f"celery could not be installed ({type(error).__name__})"

    def run(self, world: World, _turn: int) -> Outcome:
        """A task for each change, eight worker processes' worth of threads; in by a pipeline before the clock runs."""
        server, libraries = self._redis
        if self.why_not:
            say(f"Celery and Redis: not run: {self.why_not}")
            return replace(world.expected_outcome, figures={"not_run": 1.0})
        count = _count(world, JOBS)
        world.manner("celery")
        port = free_port()
        environment = {
            **os.environ,
            "BROKER": f"redis://127.0.0.1:{port}/0",
            "SECRET": world.stores[0].secrets[0],
            "ENDPOINT": f"http://127.0.0.1:{world.port}/s/celery",
            "PYTHONPATH": str(PEERS),
        }
        argv = [server, "--port", str(port), "--save", "", "--bind", "127.0.0.1", "--appendonly", "yes"]
        with _process([*argv, "--dir", str(self._home)], {**os.environ, **libraries}):
            self._put_in(lines(world, count), environment)
            python = str(self._home / "venv/bin/python")
            worker = [python, "-m", "celery", "-A", "celery_tasks", "worker", "-P", "threads", "-c", str(WORKERS)]
            with _process([*worker, "--loglevel", "ERROR", "--without-gossip", "--without-mingle"], environment):
                took = _between_first_and_last(world, count)
        return world.outcome("celery", count, took, ordered=False)

    def _put_in(self, told: list[Told], environment: dict[str, str]) -> None:
        program = (
            "import json, sys, time\nfrom celery_tasks import app, tell\n"
            "for _ in range(100):\n"
            "    try:\n        app.connection().ensure_connection(max_retries=1); break\n"
            "    except Exception: time.sleep(0.1)\n"
            "for number, line in json.load(sys.stdin):\n    tell.delay(f'message-{number}', line)\n"
        )
        argv = [str(self._home / "venv/bin/python"), "-c", program]
        subprocess.run(argv, input=orjson.dumps(told), env=environment, check=True, capture_output=True)


def _between_first_and_last(world: World, count: int) -> float:
    """Seconds from the first to the last arrival: the worker's start is not counted against it."""
    deadline = time.monotonic() + 120
    while world.count("celery") < count:
        if time.monotonic() > deadline:
            raise TimeoutError("celery")
        time.sleep(0.05)
    times = sorted(row[4] for row in world.taken("celery"))
    return (times[-1] - times[0]) / 1000


@contextmanager
def _process(argv: list[str], environment: dict[str, str]) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(argv, env=environment, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _count(world: World, most: int) -> int:
    return COMPARED if world.small else most
