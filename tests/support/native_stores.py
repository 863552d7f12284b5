"""What tests of the store kinds share: a store's sender in its own process, killed before it can settle."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from consent.decision import CANCERLINQ, Answer
from consent.feed.pace import Pace
from consent.feed.sender import Sender, Step
from consent.store_config import Store
from consent.stores.adapter import Batch, BatchAnswer, StoreAdapter
from consent.stores.adapters import adapter_for
from consent.wire import StoreEvent
from database.keyring import KeyRing
from database.unit_of_work import Database
from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination
from tests.pure.consent.decisions import decided
from tests.pure.consent.stores import RIVERSIDE
from tests.support import third_party
from tests.support.testdata import ROOT


class _KilledAfterDelivery:
    """An adapter whose process is killed the moment the store has taken the batch."""

    def __init__(self, adapter: StoreAdapter) -> None:
        self.store, self._adapter = adapter.store, adapter

    def deliver(self, batch: Batch) -> BatchAnswer:
        self._adapter.deliver(batch)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    def is_well(self) -> bool:
        return self._adapter.is_well()


def kill_between_store_and_settle(
    store: Store, worker_url: str, ring: KeyRing, folder: Path, pace: Pace | None = None
) -> None:
    """Deliver one batch of what is sequenced, in a process that is killed by -9 before it can settle."""
    ring.save(folder / "ring")
    given = pickle.dumps((store, worker_url, str(folder / "ring"), pace or Pace(batch=50)))
    command = [sys.executable, "-m", "tests.support.native_stores"]
    ended = subprocess.run(command, input=given, cwd=ROOT, timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.returncode


def event(number: int, version: int, answer: Answer = Answer.NO, who: int | str = 1) -> StoreEvent:
    """An event made by hand, about `MRN-who`; its position is ten times its number."""
    return StoreEvent(number, number * 10, RIVERSIDE, f"MRN-{who}", CANCERLINQ, answer, decided(version, answer=answer))


@dataclass(frozen=True)
class ThirdPartyFhir:
    """A running FHIR server made of Medplum's router (tests/third_party/fhir_store.mjs). `token` is its token
    endpoint, when it was started with keys."""

    fhir: str
    token: str
    root: str

    def histories(self) -> dict[str, list[dict[str, Any]]]:
        """Every version of each Consent there, oldest first, by the patient's identifier."""
        shown = requests.get(f"{self.root}/dump", timeout=10).json()["histories"]
        return {each[0]["patient"]["identifier"]["value"]: each for each in shown}

    def provenances(self) -> int:
        return int(requests.get(f"{self.root}/dump", timeout=10).json()["provenances"])


@contextmanager
def third_party_fhir(jwks: Path | None = None) -> Iterator[ThirdPartyFhir]:
    """The server, for as long as it is needed. Its packages are installed on first use; a failure is a failure."""
    folder = third_party.installed(third_party.FOLDER)
    arguments = ["--jwks", str(jwks)] if jwks else []
    process = third_party._start(folder / "fhir_store.mjs", arguments)
    try:
        about = third_party._ready(process)
        yield ThirdPartyFhir(about["fhir"], about["token"], about["ready"])
    finally:
        third_party._stop(process)


class SilentServer:
    """Takes connections, may say `greeting`, and then nothing for ever."""

    def __init__(self, greeting: bytes = b"") -> None:
        self._greeting = greeting
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._kept: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with suppress(OSError):
                connection.sendall(self._greeting)
            self._kept.append(connection)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self._kept:
            connection.close()


def main() -> None:
    store, worker_url, ring_path, pace = pickle.load(sys.stdin.buffer)
    ring = KeyRing.load(Path(ring_path))
    http = OutboundClient(AllowList([destination(store.endpoint, private=True)]))
    adapter = _KilledAfterDelivery(adapter_for(store, http, _now, ring))
    sender = Sender(Database(worker_url, pool_size=2), ring, adapter, _now, pace)
    for _ in range(20):
        if sender.step() is Step.IDLE:
            break


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
