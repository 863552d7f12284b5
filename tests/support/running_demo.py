"""`portal demo` as a visitor starts it: a process of its own, with its own folder and port, driven from outside only.

`running_demo` lives as long as the journeys. At their end it gets SIGTERM, and every process it had started must be
gone.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from patient_portal.settings import read_settings
from patient_portal.wiring import Wiring, wire

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 300.0  # a busy machine; alone it takes about ten
STOP_SECONDS = 90.0
_READY = re.compile(r"^Ready: (http://\S+)$")
_PLACE = re.compile(r"^  (.+?)\s{2,}(http://\S+)$")


@dataclass(frozen=True)
class RunningDemo:
    """Where the demo answers: `url` the portal, `places` everything else by the name it printed."""

    url: str
    places: Mapping[str, str]
    process: subprocess.Popen[str]
    folder: Path

    def store(self, name: str) -> str:
        """The address of a data store's own page."""
        return self.places[f"Data store {name}"]

    def chart(self, hospital: str) -> str:
        """The address of a hospital's chart, for its staff."""
        return self.places[hospital.title()]

    @property
    def phone(self) -> str:
        return next(url for name, url in self.places.items() if name.startswith("The phone"))


@pytest.fixture(scope="package")
def running_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """The demo as it ships, and with Arabic besides, which proves pages that are read from right to left."""
    folder = tmp_path_factory.mktemp("demo")
    demo = start_demo(folder, {"PORTAL_LANGUAGES": "en,es,ar"})
    try:
        yield demo
    finally:
        stop_demo(demo)


def start_demo(folder: Path, more: Mapping[str, str]) -> RunningDemo:
    """Start `portal demo` with `more` environment, and wait for the line `Ready: <url>`."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PORTAL_", "DATABASE_", "TWILIO_"))
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "patient_portal", "demo", "--data", str(folder / "data")],
        cwd=ROOT,
        env=kept | {"PORT": str(free_port())} | dict(more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said: list[str] = []
    url = _ready(process, said)
    if url is None:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)
        pytest.fail("the demo did not become ready; it said:\n" + "".join(said) + _ends_of_logs(folder))
    places = {found[1].split(" as ")[0].strip(): found[2] for line in said if (found := _PLACE.match(line.rstrip()))}
    return RunningDemo(url, places, process, folder / "data")


def stop_demo(demo: RunningDemo) -> None:
    """SIGTERM, as Ctrl-C does; fails when the demo or anything it had started is left over."""
    family = descendants(demo.process.pid)
    demo.process.send_signal(signal.SIGTERM)
    try:
        demo.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        demo.process.kill()
        demo.process.wait()
        pytest.fail(f"the demo did not stop within {STOP_SECONDS:.0f} seconds of SIGTERM")
    end = time.monotonic() + STOP_SECONDS
    while time.monotonic() < end and any(_lives(each) for each in family):
        time.sleep(0.1)
    left = [each for each in family if _lives(each)]
    for each in left:
        os.kill(each, signal.SIGKILL)
    assert not left, f"{len(left)} processes outlived the demo"
    assert demo.process.returncode == 0, f"the demo ended with exit status {demo.process.returncode}"


def wiring_of_worker(demo: RunningDemo) -> Wiring:
    """The parts that the demo's own worker has, for a test that does what a worker does on a later day."""
    for each in descendants(demo.process.pid):
        command = Path(f"/proc/{each}/cmdline").read_bytes().split(b"\0")
        if command[2:4] == [b"patient_portal", b"worker"]:
            pairs = (line.partition("=") for line in Path(f"/proc/{each}/environ").read_text().split("\0") if line)
            settings = read_settings({name: value for name, _, value in pairs})
            return wire(settings, settings.database_url_worker, application_name="test", pool_size=2)
    pytest.fail("the demo has no worker")


def descendants(parent: int) -> list[int]:
    """Every process that `parent` started, and those they started."""
    children: dict[int, list[int]] = {}
    for line in _processes():
        pid, ppid = (int(word) for word in line.split()[:2])
        children.setdefault(ppid, []).append(pid)
    found, waiting = [], [parent]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _processes() -> list[str]:
    """Lines of process id and parent's id."""
    proc = Path("/proc")
    if not (proc / "self" / "stat").exists():
        return subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
        ).stdout.splitlines()
    lines = []
    for each in proc.glob("[0-9]*"):
        try:
            # The name, in parentheses, may hold spaces; the parent stands two words after it.
            lines.append(f"{each.name} {(each / 'stat').read_text().rpartition(')')[2].split()[1]}")
        except OSError:
            continue
    return lines


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    try:
        return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")
    except OSError:
        return False


def _ready(process: subprocess.Popen[str], said: list[str]) -> str | None:
    """The address in the line `Ready: <url>`; None when the process ends or takes too long. Keeps reading after."""
    found = threading.Event()
    url: list[str] = []

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if match := _READY.match(line.rstrip()):
                url.append(match[1])
                found.set()
        process.stdout.close()
        found.set()

    threading.Thread(target=read, name="demo-output", daemon=True).start()
    found.wait(READY_SECONDS)
    return url[0] if url else None


def _ends_of_logs(folder: Path) -> str:
    logs = sorted((folder / "data" / "logs").glob("*.log"))
    return "".join(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}\n" for log in logs)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
