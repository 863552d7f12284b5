"""The certification over HTTP: the kit's own process, and each kind of sandbox store in test mode."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import HTTPServer, ThreadingHTTPServer
from pathlib import Path

import pytest

from clients.receiver_kit.memory import Memory
from clients.receiver_kit.receiver import Receiver
from clients.receiver_kit.server import make_server
from consent.certify.case import Case
from consent.certify.cases import CASES
from consent.certify.line import LIMITS, HttpLine
from consent.certify.outcome import Outcome
from consent.certify.run import certify
from consent.store_config import Store, Transport
from outbound.breaker import Breaker
from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination
from outbound.limits import Limits
from sandbox.store.config import StoreConfig
from sandbox.store.server import start
from tests.pure.consent.stores import CANCERLINQ_STORE, DISCOVERY, EARLY_SIGNS_STORE, SECRET, TEMPUS

ROOT = Path(__file__).resolve().parents[3]
SMALL = tuple(case for case in CASES if case.id != "large")


@contextmanager
def kit(store: Store, folder: Path) -> Iterator[str]:
    """The kit as an integrator starts it; gives its endpoint."""
    (folder / "secret").write_text(SECRET)
    command = [
        sys.executable, "-m", "receiver_kit", "--store-id", store.id, "--secret-file", str(folder / "secret"),
        "--system", "urn:invented", "--data", str(folder / "kit.sqlite3"), "--port", "0", "--test",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT / "clients", stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip().replace("127.0.0.1", "localhost")
    finally:
        process.terminate()
        process.communicate(timeout=10)


def certified(store: Store, endpoint: str, cases: tuple[Case, ...], limits: Limits = LIMITS) -> list[Outcome]:
    http = OutboundClient(AllowList([destination(endpoint, private=True)]), breaker=Breaker(threshold=1_000_000))
    try:
        return list(certify(store, HttpLine(http, endpoint, limits), lambda: datetime.now(UTC), "run-1", cases))
    finally:
        http.close()


def failed(outcomes: list[Outcome]) -> dict[str, str | None]:
    return {outcome.case.id: outcome.reason for outcome in outcomes if not outcome.passed}


def test_the_kit_passes_as_a_process_of_its_own(tmp_path: Path) -> None:
    """SUB-05 to SUB-11: every case, with a slow sender and one that hangs up, over the wire."""
    with kit(TEMPUS, tmp_path) as endpoint:
        outcomes = certified(TEMPUS, endpoint, CASES)
    assert failed(outcomes) == {}
    assert len(outcomes) == len(CASES)


@pytest.mark.parametrize(
    ("template", "role", "transport"),
    [
        (CANCERLINQ_STORE, "holder", Transport.BACKPORT),
        (TEMPUS, "curator", Transport.NDJSON),
        (DISCOVERY, "discovery", Transport.NDJSON),
        (EARLY_SIGNS_STORE, "effort", Transport.NDJSON),
    ],
    ids=["holder", "curator", "discovery", "effort"],
)
def test_each_kind_of_sandbox_store_passes(template: Store, role: str, transport: Transport, tmp_path: Path) -> None:
    """SUB-05 to SUB-11: strangers that share no code with us obey; one of them only at its next build."""
    store = replace(template, transport=transport)
    config = StoreConfig(
        id=store.id, name=store.name, role=role, secrets=(SECRET,), state_dir=tmp_path, test=True,  # type: ignore[arg-type]  # role is a text here
        effort=store.effort, hospitals=() if role == "effort" else ("riverside",),
    )  # fmt: skip
    running = start(config, lambda: [])
    try:
        outcomes = certified(store, running.endpoint, SMALL)
    finally:
        running.stop()
    assert failed(outcomes) == {}
    assert len(outcomes) == len([case for case in SMALL if case.only in (None, store.basis)])


class OneAtATime(HTTPServer):
    """A server that does one request after the other."""


PATIENT = Limits(read_seconds=2, total_seconds=4, max_bytes=4_000_000)


@pytest.mark.parametrize(
    ("server", "largest", "case", "limits"),
    [(OneAtATime, 10**8, "slow", PATIENT), (ThreadingHTTPServer, 10_000, "large", LIMITS)],
    ids=["one-at-a-time", "takes-little"],
)
def test_what_only_a_network_shows(
    server: type[HTTPServer], largest: int, case: str, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SUB-07: one that serves one at a time fails on a slow message, one that takes little fails on a large one."""
    receiver = Receiver("tempus", [SECRET], Memory(":memory:"), ["urn:invented"])
    made = make_server(receiver, 0, test=True)
    made.server_close()
    monkeypatch.setattr("clients.receiver_kit.server._Handler.largest", largest)
    running = server(("127.0.0.1", 0), made.RequestHandlerClass)  # type: ignore[arg-type]  # it needs no threads of its server
    thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    endpoint = f"http://localhost:{running.server_address[1]}/notifications"
    wanted = tuple(each for each in CASES if each.id in ("version-back", case))
    try:
        assert set(failed(certified(TEMPUS, endpoint, wanted, limits))) == {case}
    finally:
        running.shutdown()
        running.server_close()
        thread.join()
        receiver.memory.close()
