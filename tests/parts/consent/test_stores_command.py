"""`portal stores`: what an operator does with a store, against a receiver that listens."""

from __future__ import annotations

import threading
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from clients.receiver_kit.memory import Memory
from clients.receiver_kit.receiver import Receiver
from clients.receiver_kit.server import make_server
from consent.feed.run import note_stores
from consent.store_config import load_stores
from patient_portal.cli import portal
from tests.parts.consent.conftest import World
from tests.parts.consent.people import RIVERSIDE, person
from tests.pure.consent.stores import SECRET
from tests.support.postgres import TestDatabase
from vocabulary.config_file import ConfigError

Run = Callable[..., Result]
KEY = "0123456789abcdef" * 4
TABLE = """[[store]]
id = "tempus"
name = "Tempus"
kind = "webhook"
transport = "ndjson"
endpoint = "{endpoint}"
secrets = ["file:secret"]
holds = "identifiable"
basis = "operations"
practices = ["riverside-main"]
deadline = "15m"
contact = "privacy@tempus.example"
network = "private"
"""


@pytest.fixture
def kit() -> Iterator[Receiver]:
    """A receiver that passes, listening on `kit.endpoint`."""
    receiver = Receiver("tempus", [SECRET], Memory(":memory:"), [RIVERSIDE])
    server = make_server(receiver, 0, test=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    receiver.endpoint = f"http://localhost:{server.server_address[1]}/notifications"  # type: ignore[attr-defined]  # ours
    yield receiver
    server.shutdown()
    server.server_close()
    thread.join()
    receiver.memory.close()


@pytest.fixture
def run(database: TestDatabase, kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`portal stores …` with one store in a stores.toml."""
    (tmp_path / "stores.toml").write_text(TABLE.format(endpoint=kit.endpoint))
    (tmp_path / "providers.toml").write_text(
        '[[provider]]\nid = "riverside"\nname = "Riverside"\nstate = "MA"\nfhir_base_url = "http://localhost:9/fhir"\n'
        'client_id = "portal"\nclient_auth = "public"\npractice = "riverside-main"\nnetwork = "private"\n'
        f'identifier_system = "{RIVERSIDE}"\nscopes = "launch/patient openid fhirUser patient/*.rs"\n'
    )
    (tmp_path / "secret").write_text(SECRET)
    database.keyring.save(tmp_path / "ring.json")
    for name, value in {
        "DATABASE_URL": database.urls.web, "DATABASE_URL_WORKER": database.urls.worker,
        "PORTAL_BASE_URL": "http://localhost:8000", "PORTAL_KEYS": str(tmp_path / "ring.json"),
        "PORTAL_SECRET_KEY": KEY, "PORTAL_PROVIDERS": str(tmp_path / "providers.toml"),
        "PORTAL_STORES": str(tmp_path / "stores.toml"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return lambda *words: CliRunner().invoke(portal, ["stores", *words])


@pytest.fixture
def told(world: World, run: Run, tmp_path: Path) -> World:
    """One person's opt-out, told to the store."""
    (store,) = load_stores(tmp_path / "stores.toml", {}, production=False)
    world.stores["tempus"] = store
    note_stores(world.database.worker, [store], world.clock())
    world.press(person(world.database, 1))
    world.drain("tempus")
    return world


def standing(kit: Receiver) -> list[tuple[Any, ...]]:
    return kit.memory.rows("SELECT version, answer FROM standing")


def test_a_store_is_tested_and_looked_at(told: World, run: Run, kit: Receiver) -> None:
    """SUB-02, SUB-06: a round trip to the real endpoint, said clearly; where it stands as a table and as JSON."""
    done = run("test", "tempus")
    assert (done.exit_code, done.output.count("answered as it should be, status 200")) == (0, 2)
    kit.secrets = ("whsec_" + "QkJC" * 8,)
    failing = run("test", "tempus")
    assert (failing.exit_code, failing.output.count("answered 401")) == (1, 2)
    assert run("test", "nobody").exit_code == 1
    (told_of,) = orjson.loads(run("status", "--json").output)["stores"]
    assert (told_of["state"], told_of["lag"], told_of["event_number"], told_of["parked"]) == ("active", 0, 1, 0)
    assert "tempus  active" in run("status").output


def test_a_store_is_paused_and_told_again(told: World, run: Run, kit: Receiver) -> None:
    """SUB-07, SUB-10: who and why are shown; a store that lost all has it back."""
    assert run("pause", "tempus", "--why", "they move house", "--by", "dana").exit_code == 0
    assert "by dana: they move house" in run("status").output
    assert "paused" in run("replay", "tempus", "--from", "1").output
    assert run("pause", "tempus", "--why", "again").exit_code == 1
    assert run("resume", "tempus").exit_code == 0
    for table in ("standing", "message", "told"):
        kit.memory.run(f"DELETE FROM {table}")
    replayed = run("replay", "tempus", "--from", "1")
    assert replayed.output.splitlines()[-1] == "1 events sent again, 1 confirmed."
    assert standing(kit) == [(1, "no")]
    assert run("replay", "tempus", "--parked").output.startswith("0 parked")
    assert run("replay", "tempus").exit_code == 2


def test_a_backfill_goes_to_its_end(told: World, run: Run, kit: Receiver) -> None:
    """SUB-08: what stands is told as a set."""
    for table in ("standing", "message", "told"):
        kit.memory.run(f"DELETE FROM {table}")
    done = run("backfill", "tempus")
    assert (done.exit_code, standing(kit)) == (0, [(1, "no")])


def test_a_store_is_compared_now(told: World, run: Run, kit: Receiver) -> None:
    """SUB-08: what is in force there, on demand; a difference and a silence each have an exit code of their own."""
    agreed = run("reconcile")
    assert (agreed.exit_code, agreed.stdout[:30]) == (0, "tempus: agrees; 1 should be in")
    kit.memory.file(kit.code_of(RIVERSIDE, "MRN-1"), 3)
    drifted = run("reconcile", "tempus", "--json")
    (found,) = orjson.loads(drifted.stdout)["reconciliations"]
    assert (drifted.exit_code, found["outcome"], found["repaired"]) == (1, "drift", 1)
    told.drain("tempus")
    assert kit.memory.entries(kit.code_of(RIVERSIDE, "MRN-1")) == 0, "told again, and made so again"
    assert run("reconcile", "tempus").exit_code == 0
    kit.secrets = ("whsec_" + "QkJC" * 8,)
    assert run("reconcile", "tempus").exit_code == 2


def test_a_store_is_certified_and_the_report_checked(run: Run, kit: Receiver, tmp_path: Path) -> None:
    """SUB-05 to SUB-11: three files, exit code by the outcome; nothing is sent to a store with real people."""
    cases = ["--case", "stale", "--case", "kept-out"]
    done = run("certify", "tempus", *cases, "--out", str(tmp_path / "reports"))
    assert (done.exit_code, "2 of 2 cases passed." in done.output) == (0, True)
    (signed,) = (tmp_path / "reports").glob("*.jws")
    assert orjson.loads(run("certify", "tempus", "--check", str(signed)).output)["passed"] is True
    signed.write_text(signed.read_text()[:-9] + "AAAAAAAA")
    assert run("certify", "tempus", "--check", str(signed)).exit_code == 1
    assert len(list((tmp_path / "reports").iterdir())) == 3
    kit.secrets = ("whsec_" + "QkJC" * 8,)
    (tmp_path / "test-secret").write_text(kit.secrets[0])
    own = ["--secret", f"file:{tmp_path / 'test-secret'}", "--both", "--out", str(tmp_path / "both")]
    assert run("certify", "tempus", *cases, *own).exit_code == 0
    assert len(list((tmp_path / "both").glob("*.txt"))) == 2, "one for each form"
    before = kit.memory.rows("SELECT count(*) FROM message")
    other = kit.endpoint.replace("/notifications", "/elsewhere/notifications")  # type: ignore[attr-defined]  # ours
    assert run("certify", "tempus", "--endpoint", other).exit_code == 2
    assert kit.memory.rows("SELECT count(*) FROM message") == before


def test_a_store_is_added(run: Run, kit: Any, tmp_path: Path) -> None:
    """Issue 3: the table is checked as at the start, printed, and written only when asked to."""
    file = tmp_path / "stores.toml"
    before = file.read_text()
    asked = [
        "add", "--id", "concerto", "--name", "Concerto \"C\"", "--endpoint", kit.endpoint, "--secret", "file:secret",
        "--basis", "operations", "--holds", "identifiable", "--practice", "riverside-main", "--contact", "a@b.example",
        "--network", "private", "--transport", "ndjson",
    ]  # fmt: skip
    shown = run(*asked)
    assert (shown.exit_code, file.read_text()) == (0, before)
    assert "handshake: the answer does not name this store" in shown.output
    assert "portal stores certify concerto" in shown.output
    assert run(*asked, "--write", "--no-check").exit_code == 0
    stores = load_stores(file, {}, production=False)
    assert [store.id for store in stores] == ["tempus", "concerto"]
    assert tomllib.loads(file.read_text())["store"][1]["name"] == 'Concerto "C"'
    assert run(*asked).exit_code == 2, "the id is taken"
    wrong = run(*asked[:2], "other", *asked[3:], "--deadline", "soon")
    assert isinstance(wrong.exception, ConfigError)
    assert "deadline" in str(wrong.exception)


def test_the_tables_of_a_warehouse(run: Run, tmp_path: Path) -> None:
    """Issue 3: the SQL of a store of kind sql, for its database and our login; no other store has any."""
    with (tmp_path / "stores.toml").open("a") as file:
        file.write(
            '\n[[store]]\nid = "lake"\nname = "Lake"\nkind = "sql"\nendpoint = "postgresql://localhost/lake"\n'
            'secrets = ["file:dsn"]\nholds = "identifiable"\nbasis = "operations"\npractices = ["riverside-main"]\n'
            'deadline = "15m"\ncontact = "a@lake.example"\nnetwork = "private"\n'
        )
    (tmp_path / "dsn").write_text("postgresql://us:pw@localhost/lake")
    done = run("ddl", "lake", "--role", "us")
    assert "CREATE TABLE IF NOT EXISTS portal_consent_state" in done.output
    assert "GRANT TEMPORARY ON DATABASE lake TO us" in done.output
    assert run("ddl", "tempus").exit_code == 1
