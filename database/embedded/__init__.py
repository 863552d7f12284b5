"""PostgreSQL started by us from a folder of binaries, for demo, development, tests and small sites. It has no TLS."""

from database.embedded.binaries import Binaries, available_binaries
from database.embedded.server import EmbeddedServer
from database.embedded.trouble import (
    BinariesMissing,
    EmbeddedServerError,
    FolderInUse,
    FolderNotOurs,
    PortTaken,
    StartFailed,
)

__all__ = [
    "Binaries",
    "BinariesMissing",
    "EmbeddedServer",
    "EmbeddedServerError",
    "FolderInUse",
    "FolderNotOurs",
    "PortTaken",
    "StartFailed",
    "available_binaries",
]
