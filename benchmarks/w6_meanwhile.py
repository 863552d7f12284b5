"""What goes on beside the pages of G6.4: a store is filled with what stands, and donated records are released.

Both are the product's own, each in a process of its own, again and again until they are told to end. How often each was
done is told, so that a run in which one of them stood still counts for nothing.
"""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID, uuid4

import orjson
import psycopg
import structlog

from benchmarks.scale.world import DONATION
from benchmarks.w3_backfill import begin_anew
from benchmarks.w3_world import World as Ledger
from consent.asked import Asked
from consent.authorization import load_texts
from consent.decision import ALL_CATEGORIES, Answer, donation_to
from consent.feed.run import note_stores, utc_now
from consent.record_decision import record_decision
from consent.sequencer import sequence_once
from consent.store_config import Store
from consent.wire_signature import sign
from database.keyring import KeyRing
from database.unit_of_work import Database
from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination
from patient_portal.settings import BACKGROUND_NICE
from research.deliver import Courier, deliver_to
from vocabulary.actor import Actor, ActorKind

_GREETED = (
    "INSERT INTO store_channel (store_id, state, since) VALUES (%s, 'active', now())"
    " ON CONFLICT (store_id) DO UPDATE SET state = 'active'"
)
_TOLD = "UPDATE store_cursor SET position = (SELECT max(position) + 1 FROM position) WHERE store_id = %s"
_ANEW = (
    "DELETE FROM delivery_to_effort WHERE manifest NOT LIKE 'mark:%%'",
    "UPDATE delivery_to_effort SET state = 'due', next_try_at = now(), made_at = now(), attempts = 0",
)
_GIVING_WAY = ("nice", "-n", str(BACKGROUND_NICE), sys.executable, "-m")
"""As `portal feed` and `portal worker` do."""


@dataclass
class Done:
    """How often a store was filled to its end, how many changes it took in all, and how many records were released."""

    fillings: int = 0
    told: int = 0
    releases: int = 0
    troubles: list[str] = field(default_factory=list)


def give(ledger: Ledger, person: UUID) -> None:
    """Let a person donate all of their record, as their own press of the button does."""
    actor = Actor(ActorKind.PATIENT, account_id=uuid4(), person=person, persons=(person,), provider_id="w1")
    asked = Asked(
        actor=actor, person=person, subject=donation_to("living-well"), answer=Answer.YES, language="en",
        idempotency_key=uuid4().hex, text=load_texts().newest("living-well", "en"), categories=ALL_CATEGORIES,
        evidence={"signed_name": "W Six"},
    )  # fmt: skip
    record_decision(ledger.database.web, ledger.ring, asked, utc_now())
    sequence_once(ledger.database.worker, utc_now())


def take_donations(ledger: Ledger) -> None:
    """The effort's store is known, greeted, and was told all that was decided."""
    note_stores(ledger.database.worker, [DONATION], utc_now())
    with psycopg.connect(ledger.database.superuser_url, autocommit=True) as connection:
        connection.execute(_GREETED, [DONATION.id])
        connection.execute(_TOLD, [DONATION.id])


@contextmanager
def busy(ledger: Ledger) -> Iterator[Done]:
    """Both at work from before the block begins until after it ends."""
    done, stop = Done(), threading.Event()
    begun = [threading.Event(), threading.Event()]
    threads = [
        threading.Thread(target=work, args=(ledger, done, stop, begun[place]))
        for place, work in enumerate((_fill_again, _release_again))
    ]
    for thread in threads:
        thread.start()
    try:
        for one in begun:
            assert one.wait(120), "one of them did not begin"
        yield done
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not done.troubles, done.troubles


def _fill_again(ledger: Ledger, done: Done, stop: threading.Event, begun: threading.Event) -> None:
    store = ledger.stores[0]
    given = pickle.dumps((ledger.database.urls.worker, ledger.ring_file, store))

    def look() -> None:
        if ledger.count(store.id):
            begun.set()

    while not stop.is_set():
        begin_anew(ledger, store)
        with subprocess.Popen([*_GIVING_WAY, "benchmarks.w3_filler"], stdin=-1, stdout=-1) as filler:
            if _ended(filler, given, stop, done, look):
                done.fillings += 1
        look()
        done.told += ledger.count(store.id)


def _release_again(ledger: Ledger, done: Done, stop: threading.Event, begun: threading.Event) -> None:
    given = pickle.dumps((ledger.database.urls.worker, ledger.database.superuser_url, ledger.ring_file))
    with subprocess.Popen([*_GIVING_WAY, "benchmarks.w6_meanwhile"], stdin=-1, stdout=-1) as release:
        assert release.stdin is not None
        assert release.stdout is not None
        release.stdin.write(len(given).to_bytes(4, "big") + given)
        release.stdin.flush()
        for line in iter(release.stdout.readline, b""):
            done.releases += int(line)
            begun.set()
            if stop.is_set():
                break
        release.terminate()
        if not stop.is_set():
            done.troubles.append("the release ended")


def _ended(
    process: subprocess.Popen[bytes], given: bytes, stop: threading.Event, done: Done, look: Callable[[], object]
) -> bool:
    """Whether a process came to its end by itself; `look` is called again and again until then."""
    assert process.stdin is not None
    process.stdin.write(given)
    process.stdin.close()
    while process.poll() is None:
        look()
        if stop.wait(0.1):
            process.terminate()
            process.wait(30)
            return False
    if process.returncode:
        done.troubles.append(f"the filling ended with {process.returncode}")
        stop.wait(1)
    return not process.returncode


class _Takes(BaseHTTPRequestHandler):
    """The effort's store: takes every part of a delivery and signs that it did."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        answer = orjson.dumps(
            {
                "store": DONATION.id, "manifest": self.headers["portal-manifest"], "state": "applied",
                "received": body.count(b"\n"), "at": utc_now().isoformat(),
            }
        )  # fmt: skip
        self.send_response(200)
        for name, value in sign(DONATION.secrets, self.headers["webhook-id"], answer, utc_now()).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def release(worker_url: str, superuser_url: str, ring_file: Path) -> None:
    """Release what is donated, all of it anew each time; a line says how many records after each."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Takes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    store: Store = replace(DONATION, endpoint=f"http://127.0.0.1:{server.server_port}/s/none")
    http = OutboundClient(AllowList([destination(store.endpoint, private=True)]))
    courier = Courier(Database(worker_url), KeyRing.load(ring_file), http, utc_now)
    deliver_to(courier, store)
    while True:
        with psycopg.connect(superuser_url, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            for statement in _ANEW:
                connection.execute(statement)
        delivered = deliver_to(courier, store)
        assert delivered, "nothing was released"
        sys.stdout.write(f"{delivered}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    size = int.from_bytes(sys.stdin.buffer.read(4), "big")
    release(*pickle.loads(sys.stdin.buffer.read(size)))  # noqa: S301 - from the benchmark that began it
