"""Processor time of other processes, from /proc (proc(5)): what a server used for a benchmark's work."""

from __future__ import annotations

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def seconds_of(pid: int) -> float:
    """Of a process, its children now and those it has waited for: of PostgreSQL's first process all of PostgreSQL's."""
    total = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if int(entry.name) == pid:
                total += sum(int(one) for one in fields[11:15])
            elif int(fields[1]) == pid:
                total += int(fields[11]) + int(fields[12])
    return total / TICKS
