"""A web process that loses its parent while it starts ends too: an orphan would go on answering on the same port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.support.processes import wait_until_gone

# What the process that serves pages does: it handles SIGTERM itself, then forks a child that starts for a while.
PARENT = """
import multiprocessing, os, signal, sys, time
from patient_portal.with_parent import end_with_parent

def child(asks, said):
    if asks == "late":
        while os.getppid() == parent:
            time.sleep(0.005)
    end_with_parent()
    said.send("asked")
    time.sleep(60)

parent = os.getpid()
signal.signal(signal.SIGTERM, lambda *_: None)
heard, said = multiprocessing.Pipe(duplex=False)
made = multiprocessing.get_context("fork").Process(target=child, args=(sys.argv[1], said))
made.start()
if sys.argv[1] == "in time":
    heard.recv()
print(made.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal is Linux's")
@pytest.mark.parametrize("asks", ["in time", "late"])
def test_a_child_ends_with_its_parent_while_it_starts(asks: str) -> None:
    """Threats 5 (kill -9): whether the parent is killed after the child asked for the signal, or before."""
    # One process alone writes the line: two that share a pipe can write into each other's.
    with subprocess.Popen([sys.executable, "-c", PARENT, asks], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
    wait_until_gone([child])
