"""A child process that ends when its parent does, however the parent ended.

Linux only (`prctl(PR_SET_PDEATHSIG)`); elsewhere a child notices by its parent's id having changed.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1


def end_with_parent(by: signal.Signals = signal.SIGTERM) -> None:
    """Ask the kernel to send `by` to this process when its parent ends; call it first thing in the child's main thread.

    Until the child sets a handler of its own, `by` ends it: a handler that came with a fork is the parent's and would
    swallow the only signal there will be. A parent that ended before this was called is noticed by its id.
    """
    signal.signal(by, signal.SIG_DFL)
    started_by = multiprocessing.parent_process()
    parent = os.getppid() if started_by is None or started_by.pid is None else started_by.pid
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(by), 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), by)
        return
    threading.Thread(target=_watch, args=(parent, by), daemon=True).start()


def _watch(parent: int, by: signal.Signals) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), by)
