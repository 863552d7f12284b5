"""Certification of the stores that are no webhooks, each real, good and bad. (The FHIR server's: test_store_fhir.)"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from consent.certify.native import certify_native
from consent.certify.native_cases import NATIVE
from consent.certify.outcome import Outcome
from consent.store_config import Kind, Store, Transport
from consent.stores import kafka_stream
from consent.stores.adapter import StoreAdapter
from consent.stores.kafka_stream import KafkaStore
from consent.stores.nats_stream import NatsStore
from consent.stores.stream_wire import Keep, Make
from consent.wire_signature import is_genuine, sign
from patient_portal.cli import portal
from tests.parts.consent.test_store_sql import Warehouse, warehouse
from tests.parts.consent.test_store_stream_kafka import TOPIC, Cluster, cluster
from tests.parts.consent.test_store_stream_nats import server, store
from tests.parts.patient_portal.test_cli import environment, logs_as_they_were
from tests.pure.consent.stores import SECRET, TEMPUS
from tests.support.nats_server import NatsServer
from vocabulary.errors import Refused

__all__ = ["cluster", "environment", "logs_as_they_were", "server", "store", "warehouse"]

_runs = count(1)


def utc_now() -> datetime:
    return datetime.now(UTC)


def failed(adapter: StoreAdapter, only: Sequence[str] = (), **more: Any) -> dict[str, str]:
    """Every case of the store's kind that failed, with its reason; all, or those named, must have been run."""
    cases = [case for case in NATIVE[adapter.store.kind] if not only or case.id in only]
    outcomes: list[Outcome] = list(certify_native(adapter, utc_now, f"run{next(_runs)}", cases, **more))
    assert [each.case.id for each in outcomes] == [case.id for case in cases]
    return {each.case.id: each.reason for each in outcomes if each.reason is not None}


def test_a_warehouse_is_certified(warehouse: Warehouse) -> None:
    """SUB-05, CON-09: the contract's tables obey in every case, also in a second run; tables that keep what came last,
    or that say something else than they were told, do not."""
    adapter = warehouse.adapter()
    assert failed(adapter) == {}
    assert failed(adapter) == {}
    warehouse.run(
        "CREATE FUNCTION soften() RETURNS trigger LANGUAGE plpgsql AS"
        " $f$ BEGIN IF NEW.version = 9 THEN NEW.answer := 'yes'; END IF; RETURN NEW; END $f$"
    )
    warehouse.run("CREATE TRIGGER soften BEFORE INSERT OR UPDATE ON portal_consent_state FOR EACH ROW"
                  " EXECUTE FUNCTION soften()")  # fmt: skip
    assert failed(adapter) == {"stale-yes": "not taken: answers-otherwise"}
    warehouse.run("DROP TRIGGER soften ON portal_consent_state")
    for lie, reason in SQL_LIES.items():
        warehouse.run(lie)
        assert failed(adapter, only=["no"]) == {"no": f"not taken: {reason}"}, lie
    by_events = failed(adapter, only=["twice-in-one"])
    assert by_events == {"twice-in-one": "not taken: sql-form"}, "an answer of another type is no crash of ours"
    warehouse.run("DROP TABLE portal_cursor")
    with pytest.raises(Refused):
        failed(adapter)


SQL_LIES = {
    "CREATE FUNCTION lie() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
    "CREATE TRIGGER lie BEFORE INSERT ON portal_consent_state FOR EACH ROW EXECUTE FUNCTION lie()":
        "answers-other-events",
    "CREATE OR REPLACE FUNCTION lie() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.version := 1; RETURN NEW; END'":
        "answers-otherwise",
    "CREATE OR REPLACE FUNCTION lie() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END'": "sql-P0001",
    "CREATE OR REPLACE FUNCTION lie() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN"
    " PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END'": "connection",
    "DROP TRIGGER lie ON portal_consent_state; ALTER TABLE portal_consent_state ALTER version TYPE text":
        "sql-42883",
}  # fmt: skip
"""Swallowed, rewritten, refused, hung up on, and of another type."""


Publish = Callable[[bytes, dict[str, str]], None]
Answering = Callable[["Behind", list[dict[str, Any]]], list[dict[str, Any]]]


@dataclass
class Behind:
    """A store behind a stream: it reads on when asked for receipts. `good`: it obeys versions and signatures, and reads
    no message that is not as agreed; `answers` may say something else than it did."""

    adapter: Any
    read: Callable[[], list[tuple[dict[str, str], bytes]]]
    publish: Publish
    good: bool = True
    answers: Answering = lambda _, receipts: receipts
    newest: dict[str, int] = field(default_factory=dict)
    rounds: int = 0
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        self.store = self.adapter.store

    @property
    def make(self) -> Make:
        made: Make = self.adapter.make
        return made

    @make.setter
    def make(self, made: Make) -> None:
        self.adapter.make = made

    def deliver(self, batch: Any) -> Any:
        return self.adapter.deliver(batch)

    def is_well(self) -> bool:
        return bool(self.adapter.is_well())

    def take_receipts(self, keep: Keep) -> int:
        receipts = self.answers(self, [made for message in self.read() if (made := self._obey(*message)) is not None])
        for start in range(0, len(receipts), 200):
            self.rounds += 1
            body = orjson.dumps({"store": self.store.id, "receipts": receipts[start : start + 200]})
            self.publish(body, sign([SECRET], f"r-{self.rounds}", body, utc_now()))
        return int(self.adapter.take_receipts(keep))

    def _obey(self, headers: dict[str, str], body: bytes) -> dict[str, Any] | None:
        if self.good and not is_genuine([SECRET], headers, body, utc_now()):
            return None
        try:
            line = orjson.loads(body)
            who = f"{line['subject']['system']}|{line['subject']['value']}"
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return None
        if self.good and line["choice"] not in ("cancerlinq", "donation"):
            return None
        newest = max(line["version"], self.newest.get(who, 0)) if self.good else line["version"]
        self.newest[who] = newest
        return {"event": line["event"], "version": newest, "state": "applied"}


@pytest.fixture
def behind(server: NatsServer, store: Store) -> Iterator[Behind]:
    adapter, seen = NatsStore(store, utc_now), 0

    def read() -> list[tuple[dict[str, str], bytes]]:
        nonlocal seen
        messages = server.messages("DECISIONS")
        new, seen = messages[seen:], len(messages)
        return [(dict(message.headers or {}), message.data) for message in new]

    yield Behind(adapter, read, lambda body, headers: server.publish("portal.tempus.receipts", body, headers))
    adapter.close()


SIGNED_WRONGLY = {
    "unsigned", "forged", "other-body", "other-id", "stale", "future", "year-old", "no-time", "unknown-scheme",
}  # fmt: skip


def test_a_stream_is_certified(behind: Behind) -> None:
    """SUB-05, SUB-11, CON-09: the store behind a real NATS server says in signed receipts what it holds."""
    assert failed(behind, patience=20.0) == {}


def test_a_stream_that_obeys_what_came_last_and_whoever_signs_fails_by_name(behind: Behind) -> None:
    """SUB-11, CON-09: each thing that it does wrong is named by its case, and nothing else is."""
    behind.good = False
    disorder = {"disorder", "disorder-in-one", "stale-yes", "scattered", "version-far"}
    wrong = disorder | SIGNED_WRONGLY | {"unknown-kind"}
    assert set(failed(behind, only=["no", "repeat", "cut", *wrong], patience=20.0)) == wrong


LIES: dict[str, Answering] = {
    "nothing comes": lambda _, receipts: [],
    "one is left out": lambda _, receipts: receipts[1:],
    "an older version": lambda _, receipts: [{**each, "version": each["version"] - 1} for each in receipts],
    "a newer version": lambda _, receipts: [{**each, "version": each["version"] + 1} for each in receipts],
    "refused": lambda _, receipts: [{**each, "state": "refused", "reason": "no"} for each in receipts],
    "a promise only": lambda _, receipts: [{**each, "state": "accepted"} for each in receipts],
    "another event": lambda _, receipts: [{**each, "event": each["event"] + 7_000} for each in receipts],
    "no such state": lambda _, receipts: [{**each, "state": "perfect"} for each in receipts],
    "no number": lambda _, receipts: [{**each, "event": "1"} for each in receipts],
}


def test_a_stream_that_answers_falsely_fails(behind: Behind) -> None:
    """SUB-08: receipts that are late, lie, are no receipts or are another's make the case fail, and no error; those
    that come twice or in disorder do no harm."""
    for name, lie in LIES.items():
        behind.answers = lie
        assert failed(behind, only=["no"], patience=0.1).keys() == {"no"}, name
    for harmless in (lambda _, receipts: receipts * 2, lambda _, receipts: receipts[::-1]):
        behind.answers = harmless
        assert failed(behind, only=["repeat"], patience=20.0) == {}


@pytest.fixture
def kafka(cluster: Cluster) -> Iterator[Behind]:
    """The same behind Kafka's own brokers of the client library."""
    place = f"kafka://{cluster.address}/{TOPIC}"
    adapter = KafkaStore(replace(TEMPUS, kind=Kind.STREAM, transport=Transport.NDJSON, endpoint=place), utc_now)
    reader = cluster.reader()

    def read() -> list[tuple[dict[str, str], bytes]]:
        found = [each for each in reader.consume(1_000, 0.05) if each.error() is None]
        return [({name: value.decode() for name, value in each.headers()}, each.value()) for each in found]

    yield Behind(adapter, read, lambda body, headers: cluster.publish(f"{TOPIC}.receipts", body, **headers))
    reader.close()
    adapter.close()


def test_a_store_behind_kafka_is_certified(kafka: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    """SUB-05, SUB-11, CON-09: the same cases over Kafka, some of each sort; one that goes by what came last fails."""
    monkeypatch.setattr(kafka_stream, "FETCH_SECONDS", 0.05)
    some = ["repeat", "scattered", "twice-in-one", "many", "stale", "other-body", "cut", "extra", "unknown-first"]
    assert failed(kafka, only=some, patience=20.0) == {}
    kafka.good = False
    assert failed(kafka, only=["no", "disorder", "forged"], patience=20.0).keys() == {"disorder", "forged"}


STORES = """
[[store]]
id = "tempus"
name = "Tempus"
kind = "sql"
endpoint = "{endpoint}"
secrets = ["file:real.dsn"]
holds = "identifiable"
basis = "operations"
identifier_system = "urn:oid:2.16.840.1.113883.19.5"
practices = ["riverside-main"]
deadline = "15m"
contact = "privacy@tempus.example"
network = "private"
"""


def test_the_command_wants_a_test_endpoint_and_signs(
    warehouse: Warehouse, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SUB-05: invented people are told to no store where real ones are; at a test endpoint the whole run is reported,
    signed and believed."""
    del environment
    real = warehouse.store.endpoint.rpartition("/")[0] + "/real"
    (tmp_path / "real.dsn").write_text(real.replace("://", "://portal:x@"))
    (tmp_path / "test.dsn").write_text(warehouse.store.login or "")
    (tmp_path / "stores.toml").write_text(STORES.format(endpoint=real))
    monkeypatch.setenv("PORTAL_STORES", str(tmp_path / "stores.toml"))
    out, there = tmp_path / "out", ["--endpoint", warehouse.store.endpoint]

    def run(*more: str) -> Result:
        return CliRunner().invoke(portal, ["stores", "certify", "tempus", "--out", str(out), *more])

    for words in ([], ["--endpoint", real], ["--endpoint", "https://elsewhere.example/x"], there):
        assert run(*words).exit_code == 2
    assert not out.exists()
    whole = [*there, "--secret", f"file:{tmp_path / 'test.dsn'}"]
    assert run(*whole, "--case", "handshake").exit_code == 2
    done = run(*whole)
    assert done.exit_code == 0, done.output
    (signed,) = out.glob("certification-tempus-sql-*.jws")
    checked = run("--check", str(signed))
    assert checked.exit_code == 0
    report = orjson.loads(checked.output)
    assert (report["kind"], report["passed"], report["cases"]) == ("sql", True, len(NATIVE[Kind.SQL]))
    assert "hunter2" not in checked.output
