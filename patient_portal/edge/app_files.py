"""Short hashes of our own files, for addresses that may be kept for ever."""

from __future__ import annotations

import hashlib
from pathlib import Path


def file_version(path: Path) -> str:
    """Ten hex digits of the file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]
