"""The embedded server as one object: start, stop, and stay up while its owner lives."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import quote

from database.embedded.as_user import command, environment
from database.embedded.binaries import Binaries, choose, reachable
from database.embedded.cluster import Cluster, initialise, open_cluster, socket_folder
from database.embedded.leftover import stop_leftover
from database.embedded.trouble import EmbeddedServerError, PortTaken, StartFailed

PATIENCE_SECONDS = 60.0
LARGEST_LOG_BYTES = 10_000_000
FIXED_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # Where nine or more commit at once, each waits half a millisecond for the others and they share one flush.
    "commit_delay": "500",
    "commit_siblings": "8",
    "max_connections": "200",
    "timezone": "UTC",
    "lc_messages": "C",
    "logging_collector": "off",
    "log_destination": "stderr",
    # The log must name nobody: no statement text, no values of a row that broke a rule.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
}


class EmbeddedServer:
    """PostgreSQL as a child of this process, on a private socket and on 127.0.0.1, both with a password.

    Start it from the main thread: on Linux the system stops the server when the *thread* that started it ends.
    """

    def __init__(self, cluster: Cluster, binaries: Binaries, port: int) -> None:
        self._cluster = cluster
        self._binaries = binaries
        self._sockets = socket_folder(cluster)
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    @classmethod
    def start(cls, data_dir: Path, *, binaries: Path | None = None, port: int = 0) -> Self:
        """Start the server of `data_dir`, making its data the first time; ready for connections when this returns.

        `binaries` is a folder with `postgres` and `initdb` (default: see `available_binaries`). Port 0 takes a free
        one. Raises BinariesMissing, PortTaken, FolderInUse, FolderNotOurs or StartFailed, each saying what to do.
        """
        _need_main_thread()
        cluster = open_cluster(data_dir)
        server: Self | None = None
        try:
            chosen = choose(binaries, cluster.major)
            stop_leftover(cluster.pgdata)
            chosen = reachable(chosen, cluster.account, cluster.home)
            initialise(cluster, chosen)
            server = cls(cluster, chosen, port)
            server._launch()
        except BaseException:
            if server is not None:
                server.stop()
            else:
                cluster.close()
            raise
        return server

    @property
    def superuser_url(self) -> str:
        """`postgresql://postgres:…@127.0.0.1:PORT/postgres`; holds the password."""
        return f"postgresql://postgres:{self._cluster.password}@127.0.0.1:{self._port}/postgres"

    @property
    def socket_url(self) -> str:
        """The same server over its private unix socket; holds the password."""
        where = quote(str(self._sockets), safe="")
        return f"postgresql://postgres:{self._cluster.password}@/postgres?host={where}&port={self._port}"

    @property
    def port(self) -> int:
        return self._port

    @property
    def socket_dir(self) -> Path:
        return self._sockets

    @property
    def log(self) -> Path:
        return self._cluster.log

    @property
    def version(self) -> str:
        """Such as "18.4"."""
        return self._binaries.version

    @property
    def pid(self) -> int:
        """The process id of the postmaster; the last one, once it has ended."""
        if self._process is None:
            raise StartFailed("asked for its process before it was started", "")
        return self._process.pid

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ensure_running(self) -> None:
        """Start again on the same port after a crash; nothing if it runs. Call from the main thread."""
        if self._stopped:
            raise StartFailed("asked to run again after it was stopped", "Start a new server on the folder.")
        if not self.is_running():
            _need_main_thread()
            self._launch()

    def stop(self, *, immediate: bool = False) -> None:
        """End the server: open transactions are rolled back; with `immediate` recovery runs at the next start."""
        if self._stopped:
            return
        for how in (signal.SIGQUIT, signal.SIGKILL) if immediate else (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if self._ended_after(how):
                break
        self._stopped = True
        shutil.rmtree(self._sockets, ignore_errors=True)
        self._cluster.close()

    def discard(self) -> None:
        """Stop, and delete the data with its folder; for throw-away servers such as a test run's."""
        self.stop(immediate=True)
        shutil.rmtree(self._cluster.home, ignore_errors=True)  # elsewhere, where the folder was closed to its account
        shutil.rmtree(self._cluster.data_dir, ignore_errors=True)

    def kill(self) -> None:
        """SIGKILL the postmaster, as a crash would; for tests of crash safety."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _ended_after(self, how: signal.Signals) -> bool:
        if self._process is None or not self.is_running():
            return True
        self._process.send_signal(how)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _launch(self) -> None:
        """Start the process and wait until it is ready, trying again while an earlier crash is still in the way."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        asked_for = self._port
        while True:
            port = asked_for or free_port()
            words = self._try_once(port, deadline)
            if words is None:
                self._port = port
                return
            passing = in_the_way(words) or (asked_for == 0 and port_is_taken(words))
            if passing and time.monotonic() < deadline:
                time.sleep(0.1)
            elif port_is_taken(words):
                raise PortTaken(port)
            else:
                raise StartFailed("starting", words, self.log)

    def _try_once(self, port: int, deadline: float) -> str | None:
        """None when the server is ready, else what it said before it ended."""
        for stale in self._sockets.iterdir():
            stale.unlink(missing_ok=True)
        argv = server_command(self._binaries.path, self._cluster.pgdata, self._sockets, port)
        with self._open_log() as log:
            said_before = log.tell()
            self._process = subprocess.Popen(
                command(argv, self._cluster.account),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._cluster.home,
                env=environment(),
                start_new_session=True,
            )  # fmt: skip - its own session, so that Ctrl-C reaches the owner alone, who stops things in order
        while self.is_running() and time.monotonic() < deadline:
            if self._is_ready():
                return None
            time.sleep(0.01)
        if self.is_running():
            self.kill()
        with self.log.open("rb") as log:
            log.seek(said_before)
            return log.read()[-2000:].decode("utf-8", "replace")

    def _is_ready(self) -> bool:
        """What `pg_ctl` looks at: the eighth line of the pid file."""
        try:
            lines = (self._cluster.pgdata / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _open_log(self) -> BinaryIO:
        """The log for appending; the one before it is kept once it grew large."""
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        log = self.log.open("ab")
        self.log.chmod(0o600)
        return log


def server_command(programs: Path, pgdata: Path, sockets: Path, port: int) -> list[str]:
    """The command line of the server. Settings are given here, so a change reaches data made by an older release."""
    settings = {**FIXED_SETTINGS, "unix_socket_directories": str(sockets), "port": str(port)}
    argv = [str(programs / "postgres"), "-D", str(pgdata)]
    for name, value in settings.items():
        argv += ["-c", f"{name}={value}"]
    return argv


def in_the_way(words: str) -> bool:
    """Whether the server refused for something that passes: processes of a crashed one are still ending."""
    return "pre-existing shared memory block" in words or 'lock file "postmaster.pid" already exists' in words


def port_is_taken(words: str) -> bool:
    """Whether the server could not listen on its port."""
    return "could not create any TCP/IP sockets" in words


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _need_main_thread() -> None:
    if sys.platform == "linux" and threading.current_thread() is not threading.main_thread():
        raise EmbeddedServerError(
            "database_started_in_thread",
            "Start the embedded database from the main thread: the system stops it when its thread ends.",
        )
