"""The `portal` command: help worth reading, secrets left out, mistakes named (Issue 2, SEC-13)."""

from __future__ import annotations

import logging
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import structlog
from click.testing import CliRunner

from database.keyring import PURPOSES, KeyRing
from patient_portal.cli import main, portal
from tests.support.portal import Outside
from tests.support.postgres import TestDatabase

SECRET = "0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """The command sets this process's logs up."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def environment(
    outside: Outside, database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """A complete environment, put into force."""
    database.keyring.save(tmp_path / "ring.json")
    found = {
        "DATABASE_URL": database.urls.web, "DATABASE_URL_WORKER": database.urls.worker,
        "PORTAL_BASE_URL": outside.address, "PORTAL_KEYS": str(tmp_path / "ring.json"), "PORTAL_SECRET_KEY": SECRET,
        "PORTAL_PROVIDERS": str(outside.folder / "providers.toml"),
        "PORTAL_STORES": str(outside.folder / "stores.toml"),
        "SMTP_URL": "smtp://mail:mail-canary@mail.example.org", "SMTP_FROM": "portal@example.org",
        "TWILIO_ACCOUNT_SID": "AC1",
        "TWILIO_AUTH_TOKEN": "twilio-canary", "TWILIO_MESSAGING_SERVICE_SID": "MG1",
    }  # fmt: skip
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The command as a shell would start it; its exit code."""
    monkeypatch.setattr(sys, "argv", ["portal", *arguments])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


def command_at(path: tuple[str, ...]) -> click.Command:
    found: click.Command = portal
    for name in path:
        assert isinstance(found, click.Group)
        found = found.commands[name]
    return found


@pytest.mark.parametrize("path", list(commands(portal)), ids=" ".join)
def test_each_command_explains_itself(path: tuple[str, ...]) -> None:
    """Issue 2: a sentence of what it does, and of each option what it is for."""
    said = CliRunner().invoke(portal, [*path, "--help"])
    assert said.exit_code == 0
    command = command_at(path)
    assert len(command.help or "") > 15
    assert (command.help or "").strip().split("\n")[0].rstrip().endswith((".", ":", "look", "prints where to", "to"))
    options = [each for each in command.params if isinstance(each, click.Option) and path]
    assert [each.name for each in options if not each.help and not isinstance(each.type, click.Choice)] == []


def test_the_promised_commands_are_there() -> None:
    """Issue 2: names that others build against."""
    promised = {("demo",), ("serve",), ("worker",), ("feed",), ("db", "upgrade"), ("settings",), ("keys", "new"),
                ("keys", "rotate"), ("keys", "check")}  # fmt: skip
    assert promised <= set(commands(portal))


def test_settings_are_shown_without_secrets(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SEC-13: what is in force, and where a secret is set, only that it is."""
    assert run(monkeypatch, "settings") == 0
    shown = capsys.readouterr().out
    assert "riverside, lakeside" in shown
    assert environment["PORTAL_BASE_URL"] in shown
    passwords = [value.split(":")[2].split("@")[0] for key, value in environment.items() if key.startswith("DATABASE")]
    for secret in (SECRET, "mail-canary", "twilio-canary", *passwords):
        assert secret not in shown


@pytest.mark.parametrize(
    ("name", "right", "wrong", "remedy"),
    [
        ("PORTAL_PROVIDERS", 'client_auth = "client_secret_basic"', 'client_auth = "pigeon"', "Use one of"),
        ("PORTAL_PROVIDERS", "care_team = true", 'care_team = "yes"', "Write care_team = true or"),
        ("PORTAL_PROVIDERS", 'network = "private"', 'netwrok = "private"', "Known keys"),
        ("PORTAL_STORES", 'kind = "webhook"', 'kind = "pigeon"', "Use one of"),
        ("PORTAL_STORES", "[[store]]", "[[store]", "Correct the line"),
        ("PORTAL_STORES", 'secrets = ["file:store-secret"]', 'secrets = ["file:not-there"]', "secret"),
    ],
)
def test_a_wrong_file_is_named_with_line_and_remedy(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str,
    right: str, wrong: str, remedy: str,
) -> None:  # fmt: skip
    """SEC-13: exit 78 and one clear line with file, line and remedy; no trace."""
    whole = Path(environment[name])
    broken = whole.parent / f"broken-{whole.name}"
    text = whole.read_text()
    assert right in text
    broken.write_text(text.replace(right, wrong, 1))
    line = text[: text.index(right)].count("\n") + 1
    monkeypatch.setenv(name, str(broken))
    for command in ("settings", "serve", "worker", "feed"):
        assert run(monkeypatch, command) == 78
        said = capsys.readouterr().err
        for part in ("portal cannot start.", broken.name, f"line {line}", remedy):
            assert part in said
        assert "Traceback" not in said


@pytest.mark.parametrize("name", ["DATABASE_URL", "PORTAL_KEYS", "PORTAL_SECRET_KEY", "PORTAL_PROVIDERS"])
def test_a_missing_setting_is_named(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """SEC-13: which, and what to set it to."""
    assert name in environment
    monkeypatch.delenv(name)
    assert run(monkeypatch, "settings") == 78
    assert f"{name}: is not set. Set it to" in capsys.readouterr().err


def test_keys_are_made_rotated_and_checked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """SEC-06: a ring for its owner's eyes only, never overwritten; an old key still opens what it sealed."""
    file = tmp_path / "keys" / "ring.json"
    assert run(monkeypatch, "keys", "new", str(file)) == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    ring = KeyRing.load(file)
    sealed = ring.seal(b"canary", "place")
    before = file.read_bytes()
    assert run(monkeypatch, "keys", "new", str(file)) == 1
    assert file.read_bytes() == before
    assert "portal keys rotate" in capsys.readouterr().err
    for each in sorted(set(PURPOSES) - {"blind-index", "content-mac"}):
        assert run(monkeypatch, "keys", "rotate", str(file), "--purpose", each) == 0
    assert KeyRing.load(file).open(sealed, "place") == b"canary"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    capsys.readouterr()
    assert run(monkeypatch, "keys", "check", str(file)) == 0
    shown = capsys.readouterr().out
    for each in PURPOSES:
        states = [line.split("  ")[-1].split()[0] for line in shown.splitlines() if f" {each} " in line]
        assert sorted(states) == (["active"] if each in {"blind-index", "content-mac"} else ["active", "retired"])
    assert not any(key.secret in shown for key in KeyRing.load(file).keys)


@pytest.mark.parametrize("purpose", ["blind-index", "content-mac", "everything"])
def test_what_cannot_be_rotated_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, purpose: str) -> None:
    """SEC-06: every stored index would have to be made anew."""
    KeyRing.fresh().save(tmp_path / "ring.json")
    assert run(monkeypatch, "keys", "rotate", str(tmp_path / "ring.json"), "--purpose", purpose) == 2


@pytest.mark.parametrize("content", ["", "{}", "[]", "not json", '{"keys": [{"id": "x"}]}'])
def test_a_broken_ring_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str
) -> None:
    """SEC-13: exit 78 with the file's name, and no trace."""
    (tmp_path / "ring.json").write_text(content)
    assert run(monkeypatch, "keys", "check", str(tmp_path / "ring.json")) == 78
    assert "ring.json" in capsys.readouterr().err


def test_upgrading_asks_for_the_owners_login(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SEC-13: without the maintenance login nothing is tried."""
    monkeypatch.delenv("DATABASE_URL_MAINTENANCE", raising=False)
    assert run(monkeypatch, "db", "upgrade") == 78
    assert "DATABASE_URL_MAINTENANCE: is not set" in capsys.readouterr().err


def test_upgrading_twice_is_harmless_and_sql_is_only_printed(
    environment: dict[str, str], database: TestDatabase, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Issue 2: `db upgrade` says where the database is; `--sql` changes nothing."""
    assert environment["DATABASE_URL"] == database.urls.web
    monkeypatch.setenv("DATABASE_URL_MAINTENANCE", database.urls.maintenance)
    assert run(monkeypatch, "db", "upgrade") == 0
    assert "The database is at revision" in capsys.readouterr().out
    assert run(monkeypatch, "db", "upgrade", "--sql") == 0
    assert "ROLE" in capsys.readouterr().out
