"""stores.toml for warehouses, FHIR servers and streams: each mistake is named by line and remedy."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from consent import store_kind
from consent.store_config import Kind, Store, Transport, load_stores
from tests.pure.consent.stores import SECRET
from vocabulary.config_file import ConfigError

TOP = """
[[store]]
id = "one"
name = "One"
holds = "identifiable"
basis = "operations"
practices = ["riverside-main"]
deadline = "15m"
contact = "privacy@one.example"
"""
SQL = 'kind = "sql"\nendpoint = "postgresql://warehouse.example/consent"\nsecrets = ["env:DSN"]\n'
FHIR = 'kind = "fhir"\nendpoint = "https://fhir.example/r4"\nclient_id = "portal"\ntoken_url = "https://id.example/token"\n'
NATS = 'kind = "stream"\nendpoint = "tls://nats.example/portal.one"\nsecrets = ["env:S"]\nlogin = "env:LOGIN"\n'
KAFKA = 'kind = "stream"\nendpoint = "kafka://kafka.example:9094/portal-one"\nsecrets = ["env:S"]\nheartbeat = "5m"\n'
DSN = "postgresql://portal:hunter2@warehouse.example:5432/consent"


def load(folder: Path, more: str, **environment: str) -> Store:
    path = folder / "stores.toml"
    path.write_text(TOP + more, encoding="utf-8")
    values = {"DSN": DSN, "S": SECRET, "LOGIN": "portal:hunter2", **environment}
    return load_stores(path, values, False)[0]


def test_each_kind_loads(tmp_path: Path) -> None:
    """SUB-01 (kinds): warehouse, FHIR server, NATS and Kafka, with what signs in there kept apart and never printed."""
    sql, fhir, nats, kafka = (load(tmp_path, each) for each in (SQL, FHIR, NATS, KAFKA))
    assert (sql.kind, sql.login, sql.secrets, sql.transport) == (Kind.SQL, DSN, (), Transport.NATIVE)
    assert (fhir.kind, fhir.client_id, fhir.secrets) == (Kind.FHIR, "portal", ())
    assert fhir.addresses == ("https://fhir.example/r4", "https://id.example/token")
    assert (nats.kind, nats.login, nats.secrets, nats.transport) == (
        Kind.STREAM, "portal:hunter2", (SECRET,), Transport.NDJSON,
    )  # fmt: skip
    assert (kafka.heartbeat, nats.heartbeat) == (timedelta(minutes=5), timedelta(hours=1))
    assert "hunter2" not in repr(sql) + repr(nats)


@pytest.mark.parametrize(
    ("good", "old", "new", "line", "says"),
    [
        (SQL, "postgresql://w", "mysql://w", 11, "address for kind = 'sql'"),
        (SQL, "/consent", "", 11, "one database"),
        (SQL, '/consent"', '/consent?sslmode=disable"', 11, "one database"),
        (SQL, '["env:DSN"]', '["env:DSN", "env:S"]', 12, "one secret"),
        (SQL, "env:DSN", "env:ABSENT", 12, "is not set"),
        (SQL, "env:DSN", "env:S", 12, "not a DSN"),
        (SQL, "env:DSN", "env:ELSEWHERE", 12, "another host or database"),
        (SQL, "env:DSN", "env:OPTIONS", 12, "not a DSN"),
        (SQL, "secrets", 'transport = "ndjson"\nsecrets', 12, "does not go with"),
        (SQL, "secrets", 'login = "env:LOGIN"\nnetwork = "private"\nsecrets', 11, "not on this machine"),
        (FHIR, "https://f", "http://f", 11, "not https"),
        (FHIR, 'client_id = "portal"\n', "", 12, "client_id and token_url"),
        (FHIR, "https://id", "http://id", 13, "not https"),
        (FHIR, "client_id", 'secrets = ["env:S"]\nclient_id', 12, "does not go with"),
        (FHIR, "client_id", "max_entries = 501\nclient_id", 12, "2 to 500"),
        (NATS, "tls://", "nats://", 11, "not tls"),
        (NATS, "portal.one", "portal.*", 11, "one subject or topic"),
        (NATS, "env:LOGIN", "env:S", 13, "not user:password"),
        (NATS, 'secrets = ["env:S"]\n', "", 2, "one secret"),
        (NATS, "login", "client_id", 13, "does not go with"),
        (KAFKA, '"5m"', '"often"', 13, "often"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, good: str, old: str, new: str, line: int, says: str) -> None:
    """SEC-05, SUB-01: a wrong value refuses to start and says where and what to do."""
    assert old in good
    elsewhere = DSN.replace("warehouse.example", "elsewhere.example")
    with pytest.raises(ConfigError, match=says) as error:
        load(tmp_path, good.replace(old, new, 1), ELSEWHERE=elsewhere, OPTIONS=DSN + "?sslmode=disable")
    assert f"line {line}" in str(error.value)
    assert error.value.remedy
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("kind", [NATS, KAFKA])
def test_a_stream_without_its_client_library_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The extra `streams` is named when it is missing."""
    monkeypatch.setattr(store_kind, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"patient-portal\[streams\]"):
        load(tmp_path, kind)


def test_donated_data_travels_by_webhook(tmp_path: Path) -> None:
    """A donation store of another kind would never get the data that was given to it."""
    donation = TOP.replace('"operations"', '"donation"').replace('practices = ["riverside-main"]', 'effort = "x"')
    path = tmp_path / "stores.toml"
    path.write_text(donation + SQL, encoding="utf-8")
    with pytest.raises(ConfigError, match="by webhook"):
        load_stores(path, {"DSN": DSN}, False)
