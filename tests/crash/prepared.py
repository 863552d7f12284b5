"""A part of the service, started again the moment it ends: forked from a process that has read the program already.

`python -m tests.crash.prepared FOLDER WORDS...` imports the `portal` command, then runs it with WORDS in a child, and
in a new child as soon as that one ended, until SIGTERM. Each child is a process of its own with nothing of the one
before, as a preloading server's are; spared is reading a thousand modules again (seconds of processor time).
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from patient_portal.demo.children import Child, Children

SHORTEST_LIFE_SECONDS = 1.0
PAUSE_SECONDS = 0.15


@dataclass(frozen=True)
class Prepared:
    """The harness's side: the process that starts a part again and again, and which one lives now."""

    child: Child
    folder: Path

    @classmethod
    def start(
        cls, children: Children, folder: Path, name: str, words: Sequence[str], environment: Mapping[str, str]
    ) -> Prepared:
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "tests.crash.prepared", str(folder), *words]
        return cls(children.start(name, command, environment, says_ready=False), folder)

    @property
    def command(self) -> Sequence[str]:
        return self.child.command

    def pid(self) -> int | None:
        """The process that does the work now; None when there is none."""
        assert self.child.process is not None
        path = self.folder / "pid"
        try:
            pid = int(path.read_text())
            parent = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None
        return pid if parent == self.child.process.pid else None


class _Supervisor:
    def __init__(self, folder: Path, words: Sequence[str]) -> None:
        self._folder, self._words = folder, words
        self._child, self._stopping = 0, False

    def run(self) -> None:
        portal = importlib.import_module("patient_portal.cli")  # here and not above: it is what takes the time
        gc.freeze()
        signal.signal(signal.SIGTERM, self._stop)
        while not self._stopping:
            born = time.monotonic()
            self._child = os.fork()
            if self._child == 0:
                self._become(portal.main)
            self._note(self._child)
            if self._stopping:
                self._stop()
            os.waitpid(self._child, 0)
            self._note(0)
            if time.monotonic() - born < SHORTEST_LIFE_SECONDS:
                time.sleep(PAUSE_SECONDS)

    def _note(self, pid: int) -> None:
        unfinished = self._folder / "pid.unfinished"
        unfinished.write_text(str(pid))
        unfinished.rename(self._folder / "pid")

    def _become(self, main: Callable[[], object]) -> None:
        """Never returns: the child is the portal command until it ends."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        sys.argv = ["portal", *self._words]
        status = 1
        try:
            main()
            status = 0
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _stop(self, *_: object) -> None:
        self._stopping = True
        if self._child:
            try:
                os.kill(self._child, signal.SIGTERM)
            except ProcessLookupError:
                self._child = 0


if __name__ == "__main__":
    _Supervisor(Path(sys.argv[1]), sys.argv[2:]).run()
