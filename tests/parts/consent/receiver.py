"""A tiny data store that speaks the wire like a stranger: signed, idempotent, and as badly behaved as told to be."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from consent.wire_signature import is_genuine, sign
from sandbox.store.wire import Event, read_events

Answer = tuple[int, dict[str, str], bytes]


class Clock:
    """The one time of a test; it moves when told to."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Receiver:
    """`misbehave(message_id, events, good)` may return another answer than the good one, or raise to hang up.

    Handshakes and heartbeats that arrive between batches are kept apart, in `greetings` as (kind, events given out so
    far), and answered well while `greets`. `accepted` are secrets it knows beside `secret`, its own, and signs with.
    `effects` are the decisions it acted on, `heard` every message in order as (message id, event numbers), `held`
    the highest version of each (person, choice, effort).
    """

    store_id: str
    secret: str
    clock: Clock
    misbehave: Callable[[str, list[Event], Answer], Answer | None] | None = None
    heard: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    effects: list[tuple[str, int, str]] = field(default_factory=list)
    held: dict[tuple[str, str, str | None], tuple[int, str]] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    state: str = "applied"
    greets: bool = True
    greetings: list[tuple[str, int]] = field(default_factory=list)
    accepted: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                try:
                    status, headers, answer = receiver.take({k.lower(): v for k, v in self.headers.items()}, body)
                except ConnectionError:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in {"content-length": str(len(answer)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        return f"http://localhost:{self._server.server_address[1]}/notifications"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, headers: dict[str, str], body: bytes) -> Answer:
        """One delivery: check, obey the newest version only, answer signed."""
        if not is_genuine([self.secret, *self.accepted], headers, body, self.clock()):
            return 401, {}, b"not signed"
        events = read_events(headers["content-type"], body)
        message_id = headers["webhook-id"]
        if headers.get("portal-notification") and not (self.misbehave and self.greetings):
            self.greetings.append((headers["portal-notification"], int(headers["portal-events"])))
            return self.answer(message_id, []) if self.greets else (503, {}, b"")
        self.heard.append((message_id, tuple(event.number for event in events)))
        self.headers.append(headers)
        self.bodies.append(body)
        refusal = self.misbehave(message_id, events, (0, {}, b"")) if self.misbehave else None
        if refusal is not None and refusal[0] and refusal[0] != 200:
            return refusal
        good = self.answer(message_id, [self._obey(event) for event in events])
        return (self.misbehave(message_id, events, good) if self.misbehave else None) or good

    def answer(self, message_id: str, receipts: list[dict[str, Any]], **more: Any) -> Answer:
        document = {"store": self.store_id, "receipts": receipts, **more}
        body = orjson.dumps(document)
        return 200, {"content-type": "application/json", **sign([self.secret], message_id, body, self.clock())}, body

    def _obey(self, event: Event) -> dict[str, Any]:
        key = (event.value, event.choice, event.effort)
        version, _ = self.held.get(key, (0, ""))
        if event.version > version:
            self.held[key] = (event.version, event.answer)
            self.effects.append((event.value, event.version, event.answer))
        version = self.held[key][0]
        return {"event": event.number, "version": version, "state": self.state, "removed": 7, "reference": "REF-1"}

    def answers(self) -> dict[str, str]:
        """What each person's newest answer is here."""
        return {value: answer for (value, _, _), (_, answer) in self.held.items()}
