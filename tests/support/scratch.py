"""Where a test run puts what it throws away: in memory where there is plenty of it, else where the system says.

What tests kill and start again are processes, never the machine, so nothing here has to outlive a loss of power; and
a disk that others use too makes half of a run's time otherwise.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM_BYTES = 6 * 1024**3


def use_memory() -> None:
    """Let temporary folders of this process, and of those it starts, be in memory. TMPDIR, where set, stays."""
    if "TMPDIR" not in os.environ and _has_room():
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


def _has_room() -> bool:
    try:
        may_run = not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
        return may_run and os.access(MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(MEMORY).free > ROOM_BYTES
    except OSError:
        return False
