"""A sandbox store as its own process, killed without warning."""

from __future__ import annotations

import base64
import json
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

    def end(self, *, without_warning: bool) -> int:
        assert self.child is not None
        assert self.child.stdout is not None
        if without_warning:
            self.child.kill()
        else:
            self.child.terminate()
        code = self.child.wait(timeout=10)
        self.child.stdout.close()
        self.child = None
        return code


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    one = Process(tmp_path)
    yield one
    if one.child is not None:
        one.end(without_warning=True)


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
        assert process.end(without_warning=True) != 0


def test_sigterm_ends_it_cleanly(process: Process) -> None:
    """SUB-07: SIGTERM stops the store with exit code 0."""
    process.start()
    assert process.end(without_warning=False) == 0
