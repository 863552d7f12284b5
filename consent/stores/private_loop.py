"""An event loop in a thread of its own, for a client library that knows no other way; called from blocking code."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import TimeoutError as NotInTime
from typing import Any, TypeVar

Result = TypeVar("Result")


class PrivateLoop:
    """Started at first use; its thread ends with the process or with `close`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def run(self, work: Coroutine[Any, Any, Result], seconds: float) -> Result:
        """The result of `work`; TimeoutError when it takes longer than `seconds`, and then it is cancelled."""
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, seconds), self._started())
        try:
            return future.result(seconds + 5)
        except NotInTime:
            future.cancel()
            raise TimeoutError(self._name) from None

    def close(self) -> None:
        """Stop the loop and its thread."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(5)
            if not loop.is_running():
                loop.close()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
                self._thread.start()
            return self._loop
