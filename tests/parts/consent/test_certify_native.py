"""Certification of the stores that are no webhooks, each real, good and bad. (The FHIR server's: test_store_fhir.)"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from consent.certify.forge import STRANGER
from consent.certify.native import certify_native
from consent.certify.native_cases import NATIVE
from consent.certify.outcome import Outcome
from consent.store_config import Kind, Store
from consent.stores.adapter import StoreAdapter
from consent.stores.nats_stream import NatsStore
from consent.stores.stream_wire import Keep
from consent.wire_signature import is_genuine, sign
from patient_portal.cli import portal
from tests.parts.consent.test_store_sql import Warehouse, warehouse
from tests.parts.consent.test_store_stream_nats import server, store
from tests.parts.patient_portal.test_cli import environment, logs_as_they_were
from tests.pure.consent.stores import SECRET
from tests.support.nats_server import NatsServer
from vocabulary.errors import Refused

__all__ = ["environment", "logs_as_they_were", "server", "store", "warehouse"]

_runs = count(1)


def utc_now() -> datetime:
    return datetime.now(UTC)


def failed(adapter: StoreAdapter, stranger: StoreAdapter | None = None, **more: Any) -> dict[str, str]:
    """Every case of the store's kind that failed, with its reason; all must have been run."""
    cases = NATIVE[adapter.store.kind]
    outcomes: list[Outcome] = list(
        certify_native(adapter, stranger or adapter, utc_now, f"run{next(_runs)}", cases, **more)
    )
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
    warehouse.run("DROP TABLE portal_cursor")
    with pytest.raises(Refused):
        failed(adapter)


@dataclass
class Behind:
    """A store behind the stream: it reads on when asked for receipts. `good`: it obeys versions and signatures."""

    adapter: NatsStore
    server: NatsServer
    store: Store
    good: bool = True
    read: int = 0
    newest: dict[str, int] = field(default_factory=dict)

    def deliver(self, batch: Any) -> Any:
        return self.adapter.deliver(batch)

    def is_well(self) -> bool:
        return self.adapter.is_well()

    def take_receipts(self, keep: Keep) -> int:
        messages = self.server.messages("DECISIONS")
        receipts = [made for message in messages[self.read :] if (made := self._obey(message)) is not None]
        self.read = len(messages)
        for start in range(0, len(receipts), 200):
            body = orjson.dumps({"store": self.store.id, "receipts": receipts[start : start + 200]})
            signed = sign([SECRET], f"r-{self.read}-{start}", body, utc_now())
            self.server.publish("portal.tempus.receipts", body, signed)
        return self.adapter.take_receipts(keep)

    def _obey(self, message: Any) -> dict[str, Any] | None:
        line = orjson.loads(message.data)
        if self.good and not is_genuine([SECRET], message.headers, message.data, utc_now()):
            return None
        who = f"{line['subject']['system']}|{line['subject']['value']}"
        newest = max(line["version"], self.newest.get(who, 0)) if self.good else line["version"]
        self.newest[who] = newest
        return {"event": line["event"], "version": newest, "state": "applied"}


@pytest.fixture
def behind(server: NatsServer, store: Store) -> Iterator[Callable[[bool], dict[str, str]]]:
    made = [NatsStore(store, utc_now), NatsStore(replace(store, secrets=(STRANGER,)), utc_now)]

    def run(good: bool) -> dict[str, str]:
        return failed(Behind(made[0], server, store, good), made[1], patience=3.0)

    yield run
    for each in made:
        each.close()


@pytest.mark.parametrize("good", [True, False])
def test_a_stream_is_certified(behind: Callable[[bool], dict[str, str]], good: bool) -> None:
    """SUB-05, SUB-11, CON-09: the store behind a real NATS server says in signed receipts what it holds; one that obeys
    what came last, and whoever signs, fails by name."""
    wrong = behind(good)
    expected = set() if good else {"disorder", "disorder-in-one", "stale-yes", "forged"}
    assert set(wrong) == expected


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
