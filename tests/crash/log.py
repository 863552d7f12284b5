"""What one person at a browser writes down: an append-only file of JSON lines, flushed before anything else is done.

Kinds of line: `person` (first: system and value of the record number), `asked` (form, subject, answer), `answered`
(form, decision, version, subject, answer: read from the receipt the portal gave), `gave-up` (form), `again` (the
same form sent once more after its answer: form, decision), `missing` (decision acknowledged and later not found),
`listed` (last: the decisions that the portal lists at the end). With `counted` a version is the device's own count.
Every line has `at`, seconds since 1970.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any


class ClientLog:
    """Appends lines to one file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def write(self, kind: str, **values: Any) -> None:
        self._file.write(json.dumps({"at": round(time.time(), 4), "kind": kind, **values}) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()
