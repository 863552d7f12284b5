"""A ZIP file made piece by piece, so that a long record needs no memory (PKWARE APPNOTE 6.3.3, data descriptors)."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime

PIECE = 256 * 1024


class _Pipe:
    """Takes what the ZIP writer writes and gives it on; it cannot seek, so sizes follow the data."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def write(self, data: bytes) -> int:
        self._kept += data
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Nothing is open."""

    def taken(self) -> bytes:
        found = bytes(self._kept)
        self._kept.clear()
        return found

    def __len__(self) -> int:
        return len(self._kept)


def zipped(files: Iterable[tuple[str, Iterable[bytes]]], made_at: datetime) -> Iterator[bytes]:
    """The archive of (name, content in pieces), in order; each content is read before the next file is asked for."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, pieces in files:
            about = zipfile.ZipInfo(name, made_at.timetuple()[:6])
            about.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(about, "w") as inside:
                for piece in pieces:
                    inside.write(piece)
                    if len(pipe) >= PIECE:
                        yield pipe.taken()
    yield pipe.taken()
