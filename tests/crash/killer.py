"""kill -9 of one part of the service, after its command line was compared with what was started."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.world import World
from tests.support.processes import children_of, is_alive

WEIGHTS = {"web": 28, "web-child": 12, "feed": 40, "worker": 14, "postmaster": 6}
PARTS = {"web": "serve", "feed": "feed", "worker": "worker"}


MOST_ABSENT = 2_000


class NotOurs(Exception):
    """The process at this id is not the one that was started: nothing is signalled."""


def plan(chance: random.Random, kills: int) -> list[str]:
    """Whom to kill, in order: random, and at least a tenth of them (and one) the postmaster."""
    least = max(1, -(-kills // 10))
    names = list(WEIGHTS)
    chosen = chance.choices(names, weights=list(WEIGHTS.values()), k=kills - least) + ["postmaster"] * least
    chance.shuffle(chosen)
    return chosen


def command_line(pid: int) -> list[str]:
    """What the process says it was started as; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


@dataclass
class Killer:
    """Counts what it killed; a part that is just not there is left out and counted as `absent`, one after another."""

    world: World
    killed: Counter[str] = field(default_factory=Counter)
    absent: int = 0

    def kill(self, victim: str) -> bool:
        """SIGKILL the victim; False when it is not there now."""
        found = self._find(victim)
        line = command_line(found[0]) if found else []
        if found is None or not line:
            self.absent += 1
            if self.absent > MOST_ABSENT:
                raise NotOurs(f"{victim} never came back")
            return False
        pid, wanted = found
        if not _matches(line, wanted):
            raise NotOurs(f"{victim}: {pid}")
        os.kill(pid, signal.SIGKILL)
        self.absent = 0
        self.killed[victim] += 1
        return True

    def _find(self, victim: str) -> tuple[int, Sequence[str]] | None:
        """The process id and words that its command line must contain, in order."""
        if victim == "postmaster":
            server = self.world.server
            assert server is not None
            return (server.pid, ["-D", str(server.log.parent)]) if server.is_running() else None
        part = self.world.parts[PARTS.get(victim, "serve")]
        pid = part.pid()
        if victim == "web-child":
            pid = next((each for each in _children(pid) if is_alive(each)), None)
        return None if pid is None else (pid, part.command[1:])


def _children(pid: int | None) -> list[int]:
    """The processes that granian answers with; they are forks of the web process."""
    try:
        return children_of(pid) if pid is not None else []
    except (FileNotFoundError, ProcessLookupError):
        return []


def _matches(line: Sequence[str], wanted: Sequence[str]) -> bool:
    rest = iter(line)
    return all(any(word in found for found in rest) for word in wanted)


def end_what_is_left(folder: Path) -> list[str]:
    """What still runs out of `folder` after all was stopped: ended, and named by what it was started as."""
    left = []
    for place in Path("/proc").glob("[0-9]*"):
        pid = int(place.name)
        line = command_line(pid)
        if pid != os.getpid() and is_alive(pid) and any(word.startswith(f"{folder}/") for word in line):
            left.append(" ".join(line[1:5]))
            os.kill(pid, signal.SIGKILL)
    return left
