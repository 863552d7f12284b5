"""Misbehaviour on demand, so that the sender can be shown to survive it. Sandbox only, and not kept over a restart."""

from __future__ import annotations

import gzip
import threading
import time
from dataclasses import dataclass

from flask import Response

KINDS = {
    "slow": "waits `seconds` before it answers",
    "down": "answers `status` (503 unless given) and does nothing",
    "lie": "answers 200 with an error body and does nothing",
    "truncate": "acts, but the answer is cut in half",
    "redirect": "answers 307 to `to` and does nothing",
    "wrong-type": "acts, but answers as HTML",
    "gzip-bomb": "does nothing and answers 100 MB of zeros in a small gzip",
    "unsigned": "acts, but does not sign the answer",
    "lost-answer": "acts, then answers 502",
    "subject": "answers `state` (refused unless given) for the person whose identifier value is `subject`",
}
_BEFORE = frozenset({"down", "lie", "redirect", "gzip-bomb"})


@dataclass
class Fault:
    kind: str
    seconds: float = 3.0
    status: int = 503
    to: str = "/elsewhere"
    subject: str = ""
    state: str = "refused"
    times: int | None = None


class Faults:
    """The faults now switched on, by kind."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._on: dict[str, Fault] = {}
        self._refused: dict[str, str] = {}

    def switch_on(self, fault: Fault) -> None:
        with self._lock:
            if fault.kind == "subject":
                self._refused[fault.subject] = fault.state
            else:
                self._on[fault.kind] = fault

    def clear(self) -> None:
        with self._lock:
            self._on.clear()
            self._refused.clear()

    def names(self) -> list[str]:
        with self._lock:
            return sorted([*self._on, *(f"subject {subject}" for subject in self._refused)])

    def state_for(self, subject: str) -> str | None:
        with self._lock:
            return self._refused.get(subject)

    def _take(self, kind: str) -> Fault | None:
        with self._lock:
            fault = self._on.get(kind)
            if fault is None:
                return None
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    del self._on[kind]
            return fault

    def before(self) -> Response | None:
        """The answer of a store that does not act at all; None when it acts."""
        if slow := self._take("slow"):
            time.sleep(slow.seconds)
        for kind in _BEFORE:
            if fault := self._take(kind):
                return _instead(fault)
        return None

    def after(self, body: bytes, headers: dict[str, str]) -> Response:
        """The answer of a store that has acted, spoilt in whatever way is switched on."""
        if self._take("lost-answer"):
            return Response("bad gateway", status=502)
        if self._take("truncate"):
            body = body[: len(body) // 2]
        if self._take("unsigned"):
            headers = {}
        content_type = "text/html" if self._take("wrong-type") else "application/json"
        return Response(body, status=200, headers=headers, content_type=content_type)


def _instead(fault: Fault) -> Response:
    if fault.kind == "down":
        return Response("not available", status=fault.status)
    if fault.kind == "lie":
        return Response('{"error": "not stored"}', status=200, content_type="application/json")
    if fault.kind == "redirect":
        return Response("", status=307, headers={"location": fault.to})
    bomb = gzip.compress(b"\0" * 100_000_000, compresslevel=9)
    return Response(bomb, status=200, content_type="application/json", headers={"content-encoding": "gzip"})
