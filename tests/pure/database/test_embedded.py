"""The embedded server's rules that need no server."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from database.embedded import BinariesMissing, FolderInUse, PortTaken
from database.embedded.as_user import Account, command, environment
from database.embedded.binaries import Binaries, version_in
from database.embedded.leftover import pid_in
from database.embedded.server import in_the_way, port_is_taken, server_command


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ("postgres (PostgreSQL) 18.4\n", "18.4"),
        ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", "15.18"),
        ("postgres (PostgreSQL) 19beta2\n", "19"),
        ("mysqld  Ver 8.0\n", None),
        ("", None),
    ],
)
def test_version_is_read_from_what_the_program_prints(printed: str, version: str | None) -> None:
    """The version decides which data folder fits."""
    assert version_in(printed) == version


def test_major_version_is_the_first_number() -> None:
    """15.18 reads data of 15."""
    assert Binaries("system", Path("/x"), "15.18").major == 15


def test_command_line_is_durable_private_and_names_nobody() -> None:
    """SEC: durable commits, loopback only, a private socket, and no row values in the log."""
    argv = server_command(Path("/pg/bin"), Path("/d/pgdata"), Path("/d/socket"), 5999)
    assert argv[:3] == ["/pg/bin/postgres", "-D", "/d/pgdata"]
    settings = set(argv[4::2])
    assert {
        "fsync=on",
        "synchronous_commit=on",
        "full_page_writes=on",
        "listen_addresses=127.0.0.1",
        "unix_socket_permissions=0700",
        "unix_socket_directories=/d/socket",
        "port=5999",
        "log_error_verbosity=terse",
        "log_min_error_statement=panic",
    } <= settings


def test_command_says_who_and_whose() -> None:
    """The launcher is told the account and the owner it must not outlive."""
    argv = command(["/bin/true", "x"], Account(101, 104))
    assert argv[0] == sys.executable
    assert argv[-5:] == ["101", "104", str(os.getpid()), "/bin/true", "x"]


def test_environment_holds_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server inherits neither our secrets nor settings meant for clients."""
    monkeypatch.setenv("PORTAL_SECRET_KEY", "s")
    monkeypatch.setenv("PGDATA", "/elsewhere")
    assert set(environment()) == {"PATH", "LC_ALL", "TZ"}


@pytest.mark.parametrize(
    ("words", "waits", "port"),
    [
        ("FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use", True, False),
        ('FATAL:  lock file "postmaster.pid" already exists', True, False),
        ("FATAL:  could not create any TCP/IP sockets", False, True),
        ("FATAL:  database files are incompatible with server", False, False),
    ],
)
def test_reasons_for_not_starting(words: str, waits: bool, port: bool) -> None:
    """Only what passes by itself is waited for."""
    assert (in_the_way(words), port_is_taken(words)) == (waits, port)


@pytest.mark.parametrize(("text", "pid"), [("123\n/d\n", 123), ("", None), ("x\n", None), ("-1\n/d\n", None)])
def test_pid_file(tmp_path: Path, text: str, pid: int | None) -> None:
    """A torn pid file is no process, least of all every process (-1)."""
    file = tmp_path / "postmaster.pid"
    assert pid_in(file) is None
    file.write_text(text)
    assert pid_in(file) == pid


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (BinariesMissing("looked in /x"), "set DATABASE_URL"),
        (PortTaken(8123), "choose another port"),
        (FolderInUse(Path("/d"), "77"), "Stop that process"),
    ],
)
def test_errors_say_what_to_do(error: Exception, remedy: str) -> None:
    """Every refusal ends with a remedy."""
    assert remedy in str(error)
