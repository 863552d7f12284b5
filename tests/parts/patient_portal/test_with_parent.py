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

def child(asks):
    if asks == "late":
        while os.getppid() == parent:
            time.sleep(0.005)
    end_with_parent()
    print("asked", flush=True)
    time.sleep(60)

parent = os.getpid()
signal.signal(signal.SIGTERM, lambda *_: None)
made = multiprocessing.get_context("fork").Process(target=child, args=(sys.argv[1],))
made.start()
print(made.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal is Linux's")
@pytest.mark.parametrize("asks", ["in time", "late"])
def test_a_child_ends_with_its_parent_while_it_starts(asks: str) -> None:
    """Threats 5 (kill -9): whether the parent is killed after the child asked for the signal, or before."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, asks], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    if asks == "in time":
        assert parent.stdout.readline() == "asked\n"
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    wait_until_gone([child])
    parent.stdout.close()
