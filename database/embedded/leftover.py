"""A server whose owner died without stopping it: found by its pid file, recognised by its command line, stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from database.embedded.as_user import environment
from database.embedded.trouble import StartFailed

PATIENCE_SECONDS = 30.0


def stop_leftover(pgdata: Path) -> None:
    """Make sure that no server runs on `pgdata`. Call with the folder locked, so no owner can be alive.

    On Linux such a server is already on its way out (it asked for the signal); elsewhere it may be in full health.
    """
    file = pgdata / "postmaster.pid"
    pid = pid_in(file)
    if pid is None:
        return
    if not _runs_on(pid, pgdata):
        # The number belongs to nobody, or to a stranger after a reboot or in a new container, where PostgreSQL
        # would refuse to start. Surviving backends are still found by the server, through its shared memory.
        if _alive(pid):
            file.unlink(missing_ok=True)
        return
    for how in (signal.SIGINT, signal.SIGQUIT):
        _send(pid, how)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if not _runs_on(pid, pgdata):
                return
            time.sleep(0.02)
    raise StartFailed(f"stopping process {pid}, an earlier server on {pgdata}", "Stop that process by hand.")


def pid_in(file: Path) -> int | None:
    """The process id in the first line of a postmaster.pid; None when there is no such file or it is unreadable."""
    try:
        pid = int(file.read_text().split("\n", maxsplit=1)[0])
    except (OSError, ValueError):
        return None
    return pid if pid > 0 else None


def _send(pid: int, how: signal.Signals) -> None:
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        return


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _runs_on(pid: int, pgdata: Path) -> bool:
    """Whether `pid` is a living PostgreSQL of this very data folder, by its command line."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").replace("\0", " ")
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
        answer = subprocess.run(
            ["/bin/ps", "-o", "command=", "-p", str(pid)],
            capture_output=True,
            text=True,
            env=environment(),
            check=False,
        )
        line = answer.stdout
    except OSError:
        return False
    return "postgres" in line and f"{pgdata} " in f"{line} "
