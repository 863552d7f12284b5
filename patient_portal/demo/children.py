"""The demo's child processes: started in order, watched, started again when killed, stopped in the reverse order."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

READY_SECONDS = 60
STOP_SECONDS = 20
PR_SET_PDEATHSIG = 1


class PartFailed(Exception):
    """A part did not start; the message names it and its log."""


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@dataclass
class Child:
    """One running part."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    says_ready: bool
    process: subprocess.Popen[str] | None = None
    ready: dict[str, Any] = field(default_factory=dict)

    def start(self) -> None:
        """Start the process, from the main thread: the kernel's death signal follows the starting thread."""
        with self.log.open("a", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                self.command,
                env=dict(self.environment),
                stdout=subprocess.PIPE if self.says_ready else errors,
                stderr=errors,
                text=True,
                preexec_fn=_die_with_parent,
            )

    def wait_ready(self) -> dict[str, Any]:
        """The JSON line a sandbox part prints when it answers; PartFailed when it ends or stays silent."""
        if not self.says_ready:
            return {}
        assert self.process is not None
        assert self.process.stdout is not None
        line = _line_within(self.process.stdout, READY_SECONDS)
        if not line:
            raise PartFailed(f"{self.name} did not start; see {self.log}")
        self.ready = json.loads(line)
        return self.ready

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Children:
    """All parts of a demo."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: list[Child] = []

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None, *, says_ready: bool
    ) -> Child:
        """Start a part with the demo's environment and its own additions."""
        child = Child(name, command, {**os.environ, **(environment or {})}, self._logs / f"{name}.log", says_ready)
        child.start()
        self._children.append(child)
        return child

    def pids(self) -> dict[str, int]:
        return {child.name: child.process.pid for child in self._children if child.process}

    def revive(self) -> list[str]:
        """Start again every part that ended; returns their names."""
        revived = []
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                child.start()
                child.wait_ready()
                revived.append(child.name)
        return revived

    def stop_all(self) -> None:
        """Ask every part to stop, the last started first."""
        for child in reversed(self._children):
            child.stop()


def _line_within(stream: IO[str], seconds: float) -> str:
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(stream.readline()), daemon=True)
    reader.start()
    reader.join(seconds)
    return found[0] if found else ""


def wait_until(check: Any, seconds: float) -> bool:
    """Ask `check` until it says yes or the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return True
        time.sleep(0.1)
    return False
