"""The peers of W1, each as its own documentation shows it; none of them encrypts or keeps anything."""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import requests
from fhirclient.models.fhirsearch import FHIRSearch
from fhirclient.server import FHIRServer

from benchmarks.harness.arms import Outcome
from benchmarks.harness.say import say
from benchmarks.w1_hospital import SEARCHES
from benchmarks.w1_world import TOKEN, World, digest
from scripts.npm_ci import install, node

FHIR_KIT = Path(__file__).parent / "peers" / "fhir_kit"


def server_of(world: World) -> FHIRServer:
    """fhirclient's server with a session that carries the token."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = FHIRServer(None, world.base)
    server.session = requests.Session()
    server.session.headers["Authorization"] = f"Bearer {TOKEN}"
    server.session.trust_env = False
    return server


def search(server: FHIRServer, asked: tuple[str, str], patient: str = "p0") -> list[Any]:
    """One search to its last page, as fhirclient's models."""
    kind, category = asked
    model = getattr(importlib.import_module(f"fhirclient.models.{kind.lower()}"), kind)
    struct = {"patient": patient, "_count": "50"} | ({"category": category} if category else {})
    return list(FHIRSearch(model, struct).perform_resources_iter(server))


def sequential(world: World, _turn: int) -> Outcome:
    """fhirclient, one search after the other."""
    return _timed(world, lambda: [one for asked in SEARCHES for one in search(server_of(world), asked)])


def in_threads(world: World, _turn: int) -> Outcome:
    """fhirclient in 8 threads."""

    def fetch() -> list[Any]:
        server = server_of(world)
        with ThreadPoolExecutor(8) as pool:
            return [one for found in pool.map(lambda asked: search(server, asked), SEARCHES) for one in found]

    return _timed(world, fetch)


def sixteen(world: World, _turn: int) -> Outcome:
    """fhirclient for 16 patients in 16 threads."""
    world.manner()
    patients = [f"p{number}" for number in range(2 if world.small else 16)]

    def whole(patient: str) -> int:
        server = server_of(world)
        return sum(len(search(server, asked, patient)) for asked in SEARCHES)

    began, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(16) as pool:
        counts = list(pool.map(whole, patients))
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    assert set(counts) == {world.expected.count}, counts
    figures = {"records_per_second": len(patients) / seconds, "cpu_per_record": spent / len(patients)}
    return Outcome(world.expected.count, world.expected.sha256, figures)


def fhirpy_gather(world: World, _turn: int) -> Outcome:
    """fhirpy, every search in one asyncio.gather."""
    lib = importlib.import_module("fhirpy")

    async def fetch() -> list[Any]:
        client = lib.AsyncFHIRClient(world.base, authorization=f"Bearer {TOKEN}")

        async def one(asked: tuple[str, str]) -> Sequence[Any]:
            kind, category = asked
            found = client.resources(kind).search(patient="p0", **({"category": category} if category else {}))
            rows: Sequence[Any] = await found.limit(50).fetch_all()
            return rows

        return [row for rows in await asyncio.gather(*(one(asked) for asked in SEARCHES)) for row in rows]

    world.manner()
    began, cpu = time.perf_counter(), time.process_time()
    found = asyncio.run(fetch())
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    return digest((one.serialize() for one in found), {"seconds": seconds, "cpu_seconds": spent})


def fhir_kit(world: World, _turn: int) -> Outcome:
    """fhir-kit-client with Promise.all, timed inside its own process."""
    install(FHIR_KIT)
    world.manner()
    argv = [str(node()), str(FHIR_KIT / "fetch.mjs"), world.base, TOKEN, orjson.dumps(SEARCHES).decode()]
    told = orjson.loads(subprocess.run(argv, capture_output=True, check=True, timeout=300).stdout)
    return digest(told["found"], {"seconds": told["seconds"]})


def missing() -> list[str]:
    """The names of the peers that are not installed."""
    gone = [] if importlib.util.find_spec("fhirpy") else ["fhirpy"]
    try:
        install(FHIR_KIT)
    except (OSError, subprocess.SubprocessError, SystemExit):
        gone.append("fhir-kit-client")
    for name in gone:
        say(f"{name}: not measured, it is not here")
    return gone


def _timed(world: World, fetch: Callable[[], list[Any]]) -> Outcome:
    world.manner()
    began, cpu = time.perf_counter(), time.process_time()
    found = fetch()
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    return digest((one.as_json() for one in found), {"seconds": seconds, "cpu_seconds": spent})
