"""A sandbox store as its own process, killed without warning."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from standardwebhooks.webhooks import Webhook

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()


class Process:
    """`python -m sandbox.store`, started and ended by its process id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        config = {"id": "early-signs", "name": "Early Signs", "role": "effort", "effort": "early-signs"}
        (folder / "store.json").write_text(json.dumps({**config, "secrets": [SECRET]}))
        self.child: subprocess.Popen[str] | None = None

    def start(self) -> str:
        options = ["--config", str(self._folder / "store.json"), "--state-dir", str(self._folder / "state")]
        self.child = subprocess.Popen(
            [sys.executable, "-m", "sandbox.store", *options], stdout=subprocess.PIPE, text=True
        )
        assert self.child.stdout is not None
        return str(json.loads(self.child.stdout.readline())["ready"])

    def end(self, name: signal.Signals) -> int:
        assert self.child is not None
        assert self.child.stdout is not None
        self.child.send_signal(name)
        code = self.child.wait(timeout=10)
        self.child.stdout.close()
        self.child = None
        return code


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    one = Process(tmp_path)
    yield one
    if one.child is not None:
        one.end(signal.SIGKILL)


def test_what_was_answered_survives_kill_nine(process: Process) -> None:
    """SUB-07: five kills without warning; every answered decision is there after the next start."""
    for number in range(1, 6):
        url = process.start()
        line = {
            "event": number, "subject": {"system": "", "value": f"code-{number}"}, "version": 1, "choice": "donation",
            "effort": "early-signs", "answer": "no", "categories": [], "recorded": "",
        }  # fmt: skip
        body, now = json.dumps(line), datetime.now(tz=UTC)
        headers = {
            "content-type": "application/x-ndjson",
            "webhook-id": f"m{number}",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(SECRET).sign(f"m{number}", now, body),
        }
        answer = requests.post(f"{url}/notifications", data=body, headers=headers, timeout=10)
        assert answer.status_code == 200
        effects = requests.get(f"{url}/contents", timeout=10).json()["effects"]
        assert [effect["event"] for effect in effects] == list(range(1, number + 1))
        assert process.end(signal.SIGKILL) != 0


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(process: Process, name: signal.Signals) -> None:
    """SUB-07: SIGTERM or Ctrl-C stops the store with exit code 0, in each of several rounds on one folder."""
    for _ in range(3):
        process.start()
        assert process.end(name) == 0


def test_a_signal_ends_it_at_any_moment() -> None:
    """SUB-07: 300 rounds of the store's own waiting, each ended by a burst of signals at another moment: none is lost.
    The same start-up code runs around a store that is nothing but its threads."""
    rounds = (
        "import sandbox.store.__main__ as main, os, signal, sys, threading, types\n"
        "class Quiet:\n"
        "    url = endpoint = ''\n"
        "    def stop(self): pass\n"
        "def start(config):\n"
        "    mine = os.getpid()\n"
        "    threading.Timer(next(waits), lambda: [os.kill(mine, signal.SIGTERM) for _ in range(3)]).start()\n"
        "    return Quiet()\n"
        "waits = iter([n % 7 * 0.0002 for n in range(300)])\n"
        "main.start, main.read_config = start, lambda *a, **k: types.SimpleNamespace()\n"
        "sys.argv = ['store', '--config', 'x', '--state-dir', 'y']\n"
        "for _ in range(300):\n"
        "    assert main.main() == 0\n"
        "    for thread in threading.enumerate():\n"
        "        thread is threading.main_thread() or thread.join()\n"
        "    while signal.SIGTERM in signal.sigpending(): signal.sigwait([signal.SIGTERM])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", rounds], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
