"""Run a command as the account that owns the database, and make it end when its owner ends.

This file is both a module and a script. PostgreSQL is never run by root, and a child must ask for its own
death signal after it has changed account (the kernel forgets the wish at a change). Doing this in a small program
that then becomes the server keeps it safe in processes with many threads, where code between fork and exec is not.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Account:
    """A user and group id of this machine."""

    uid: int
    gid: int


def server_account(pgdata: Path) -> Account | None:
    """The account that runs the server of the data in `pgdata`; None means the present one.

    Root hands over to whoever owns the data already, else to `postgres`, else to `nobody`.
    """
    if os.geteuid() != 0:
        return None
    if pgdata.exists() and pgdata.stat().st_uid != 0:
        return Account(pgdata.stat().st_uid, pgdata.stat().st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    return Account(65534, 65534)


def command(argv: Sequence[str], account: Account | None) -> list[str]:
    """The command line that runs `argv` as `account`, ended by the system when the present process ends."""
    who = account or Account(os.geteuid(), os.getegid())
    launcher = [sys.executable, "-I", "-S", str(Path(__file__).resolve())]
    return [*launcher, str(who.uid), str(who.gid), str(os.getpid()), *argv]


def environment() -> dict[str, str]:
    """What the server may know of our environment: no secrets, no PG* settings, English messages."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def become(argv: list[str]) -> None:
    """Drop to the account, ask for the death signal, and turn into the command. Never returns."""
    uid, gid, owner = (int(value) for value in argv[:3])
    if os.geteuid() == 0:
        os.setgroups([gid])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
        if os.getppid() != owner:  # the owner ended before the wish was heard
            sys.exit(1)
    os.umask(0o077)
    os.execv(argv[3], argv[3:])  # noqa: S606 - no shell is meant


if __name__ == "__main__":
    become(sys.argv[1:])
