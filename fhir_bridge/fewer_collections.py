"""Fewer rounds of Python's garbage collector while much JSON passes through.

Parsed JSON holds no cycles and is freed by its last reference; the collector would still visit all of it again and
again, for a quarter of a retrieval's processor time (docs/benchmarks/w1.md).
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

OBJECTS_BETWEEN = 100_000

_lock = threading.Lock()
_inside = 0
_usual = gc.get_threshold()


@contextmanager
def fewer_collections() -> Iterator[None]:
    """Collect after OBJECTS_BETWEEN new objects instead of the usual few hundred; for the whole process, until the last
    one inside leaves."""
    global _inside, _usual
    with _lock:
        if not _inside:
            _usual = gc.get_threshold()
            gc.set_threshold(OBJECTS_BETWEEN, *_usual[1:])
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                gc.set_threshold(*_usual)
