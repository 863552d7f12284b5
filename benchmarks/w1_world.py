"""What the arms of W1 share: the hospital in a process of its own, a database, and people whose records are fetched."""

from __future__ import annotations

import hashlib
import http.client
import logging
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import structlog

from benchmarks.harness.arms import Outcome
from benchmarks.harness.postgres import SETTINGS, BenchDatabase, BenchServer, bench_server
from benchmarks.w1_hospital import SEARCHES, SIZES
from consent.tables import Person
from database.context import as_persons
from database.keyring import KeyRing
from fhir_bridge import bring_in as bringing
from fhir_bridge import connections
from fhir_bridge.bring_in import Parts, ask_for_record, bring_in, current_resources
from fhir_bridge.course import OfferedMemory
from fhir_bridge.keep_record import Sealed
from fhir_bridge.person_ciphers import cipher_for_new_content
from fhir_bridge.providers import Provider
from fhir_bridge.retrieve.json_body import plain_bundle
from fhir_bridge.retrieve.offered import Offered, read_offered
from fhir_bridge.smart.client import SmartClient
from fhir_bridge.tables import Account, Connection
from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination

TOKEN = "a-token-of-w1"  # noqa: S105 - the hospital of W1 takes any
SCOPE = " ".join(
    ["patient/Patient.rs"] + [f"patient/{kind}.rs" + (f"?category={of}" if of else "") for kind, of in SEARCHES]
)
TYPES = tuple(dict.fromkeys(kind for kind, _ in SIZES))


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class World:
    """`port`: where the hospital answers. `small`: a shape that shows that the arms work, and no speed. `postgres`: the
    first process of the database."""

    database: BenchDatabase
    ring: KeyRing
    ring_file: Path
    port: int
    small: bool
    latency_ms: float = 50.0
    expected: Outcome = field(default_factory=lambda: Outcome(0, "", {}))
    parse_seconds: float = 0.0
    postgres: int = 0
    http: OutboundClient = field(init=False)

    def __post_init__(self) -> None:
        self.http = OutboundClient(AllowList([destination(self.base, private=True)]), pool_size=256)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/fhir"

    @property
    def provider(self) -> Provider:
        return Provider(
            id="w1", name="W1", state="MA", fhir_base_url=self.base, client_id="w1", client_auth="none",
            scopes="openid fhirUser", private=True,
        )  # fmt: skip

    def manner(self, **how: object) -> None:
        """How the hospital answers from now on; its counts begin anew."""
        self.ask("POST", "/manner", orjson.dumps({"latency_ms": self.latency_ms} | how))

    def counts(self) -> Mapping[str, float]:
        found: Mapping[str, float] = orjson.loads(self.ask("GET", "/counts"))
        return found

    def ask(self, verb: str, path: str, body: bytes = b"") -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(verb, path, body)
            return connection.getresponse().read()
        finally:
            connection.close()

    def newcomer(self, patient: str) -> tuple[UUID, UUID]:
        """A person with tokens for the hospital's `patient`, and the retrieval that is to be run."""
        person, account, connection, at = uuid4(), uuid4(), uuid4(), now()
        with self.database.worker.begin(as_persons(person, account=account)) as session:
            session.add(Person(id=person, language="en", created_at=at))
            session.flush()
            cipher = cipher_for_new_content(session, self.ring, person, at)
            session.add(
                Account(
                    id=account, issuer="w1", subject_index=account.bytes * 2, kind="patient", created_at=at,
                    signed_in_at=at,
                )
            )  # fmt: skip
            session.flush()
            bound = orjson.dumps({"issuer": "w1", "subject": "w1", "patient": patient})
            session.add(
                Connection(
                    id=connection, account_id=account, person_id=person, provider_id="w1",
                    patient_index=account.bytes, relation="self", state="active", scope=SCOPE, created_at=at,
                    ended_at=None, patient_sealed=cipher.seal(bound, f"connection:patient:{connection}"),
                )
            )  # fmt: skip
            session.flush()
            connections.keep_tokens(session, cipher, connection, TOKEN, None, at + timedelta(hours=1), at)
            retrieval = ask_for_record(session, person=person, connection=connection, provider_id="w1", now=at)
        return person, retrieval

    def fetched(self, patient: str = "p0", *, known: bool = False) -> tuple[UUID, dict[str, float]]:
        """Run the product's own job for a new person: seconds until all is kept, until the first page is, and with the
        cancer story made. `known`: what the hospital offers was asked for within the hour, as it is for all but one."""
        person, retrieval = self.newcomer(patient)
        memory = OfferedMemory()
        if known:
            base = self.base
            memory.note(base, offered_at(self), now())
        bringing.OFFERED = memory
        times: dict[str, float] = {}
        with noting(times):
            began, cpu = time.perf_counter(), time.process_time()
            state = bring_in(self.parts(), self.provider, person=person, retrieval=retrieval)
            times["seconds_with_story"] = time.perf_counter() - began
            times["cpu_with_story"] = time.process_time() - cpu
        assert state == "finished", state
        assert "first" in times, "the hospital gave nothing"
        times["seconds"], times["first_seconds"] = times.pop("kept") - began, times.pop("first") - began
        times["cpu_seconds"] = times.pop("cpu") - cpu
        return person, times

    def fetched_quietly(self, patient: str) -> UUID:
        """The same without looking at the clock, for several at once."""
        person, retrieval = self.newcomer(patient)
        assert bring_in(self.parts(), self.provider, person=person, retrieval=retrieval) == "finished"
        return person

    def parts(self) -> Parts:
        return Parts(self.database.worker, self.ring, SmartClient(self.http), self.http, now)

    def kept(self, person: UUID) -> Outcome:
        """What is in the database of a person, opened."""
        with self.database.worker.begin(as_persons(person)) as session:
            cipher = cipher_for_new_content(session, self.ring, person, now())
            return digest(current_resources(session, cipher, TYPES), {})

    def floor(self, at_once: int, longest: int, requests: int = 92) -> float:
        """T_floor of benchmarks.md: nothing can be faster than the waits it must make one after the other."""
        latency = self.latency_ms / 1000
        return max(longest * latency, -(-requests // at_once) * latency) + self.parse_seconds


def offered_at(world: World) -> Offered:
    """What the hospital says that it offers."""
    return read_offered(orjson.loads(world.ask("GET", "/fhir/metadata")))


@contextmanager
def noting(times: dict[str, float]) -> Iterator[None]:
    """Note when the first resources were committed, and when fetching and keeping were over."""
    keep, retrieve = bringing._Run._keep, bringing._Run._retrieve

    def kept(run: Any, items: list[Any]) -> None:
        keep(run, items)
        if any(isinstance(one, Sealed) for one in items):
            times.setdefault("first", time.perf_counter())

    def retrieved(run: Any, plan: Any) -> Any:
        found = retrieve(run, plan)
        times["kept"], times["cpu"] = time.perf_counter(), time.process_time()
        return found

    setattr(bringing._Run, "_keep", kept)  # noqa: B010 - a private verb, watched for one turn - seen from outside, for the time of one run
    setattr(bringing._Run, "_retrieve", retrieved)  # noqa: B010 - a private verb, watched for one turn
    try:
        yield
    finally:
        setattr(bringing._Run, "_keep", keep)  # noqa: B010 - a private verb, watched for one turn
        setattr(bringing._Run, "_retrieve", retrieve)  # noqa: B010 - a private verb, watched for one turn


def digest(resources: Iterable[Mapping[str, Any]], figures: Mapping[str, float]) -> Outcome:
    """Count and sha256 of resources in any order."""
    lines = sorted(orjson.dumps(one, option=orjson.OPT_SORT_KEYS) for one in resources)
    return Outcome(len(lines), hashlib.sha256(b"\n".join(lines)).hexdigest(), figures)


@contextmanager
def hospital(resources: int) -> Iterator[int]:
    """The port of a hospital whose records have `resources`, ended after."""
    argv = [sys.executable, "-m", "benchmarks.w1_hospital", str(resources)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate(timeout=30)


def quiet() -> None:
    """Log errors only."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


@contextmanager
def world(small: bool) -> Iterator[World]:
    """3,000 resources at 50 ms; small: the same record at 5 ms."""
    quiet()
    with bench_server(SETTINGS) as server, hospital(3_000) as port:
        made = _made(server, port, small)
        try:
            yield made
        finally:
            made.http.close()


def _read(pages: list[bytes]) -> tuple[list[Any], float]:
    """The pages parsed, and how long that takes: of the processor, and the least of some times, for what else happened
    meanwhile (other people's work, a look for garbage) is no part of the floor."""
    began = time.process_time()
    read = [plain_bundle(page) for page in pages]
    return read, time.process_time() - began


def _made(server: BenchServer, port: int, small: bool) -> World:
    server.migrated("w1")
    keys = server.folder / "keys.json"
    made = World(server.connect("w1", 40), server.ring, keys, port, small, 5.0 if small else 50.0)
    made.postgres = server.server.pid
    made.manner(latency_ms=0)
    pages = list(all_pages(made))
    read, made.parse_seconds = min((_read(pages) for _ in range(5)), key=lambda one: one[1])
    made.expected = digest((one[0] for page in read if page for one in page.entries), {})
    return made


def all_pages(world: World, patient: str = "p0") -> Iterator[bytes]:
    """Every page of every search, one after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", world.port, timeout=60)
    for kind, category in SEARCHES:
        path = f"/fhir/{kind}?patient={patient}&_count=50" + (f"&category={category}" if category else "")
        while path:
            connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
            body = connection.getresponse().read()
            yield body
            links = orjson.loads(body)["link"]
            path = links[0]["url"].partition(f":{world.port}")[2] if links else ""
    connection.close()
