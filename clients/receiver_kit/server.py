"""A small HTTP server around a Receiver, on this machine only: put a proxy with TLS before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .comparing import Comparing
from .receiver import Receiver, Reply
from .test_door import TestDoor

LARGEST_BODY = 64 * 1024 * 1024
Take = Callable[[Mapping[str, str], bytes], Reply]


def make_server(receiver: Receiver, port: int, *, test: bool = False) -> ThreadingHTTPServer:
    """Listens on `port` (0: a free one) for `POST /notifications` and `/reconcile`, and for `/test` if `test`."""
    doors: dict[str, Take] = {"/notifications": receiver.take, "/reconcile": Comparing(receiver).take}
    if test:
        doors["/test"] = TestDoor(receiver).take
    return _Server(("127.0.0.1", port), partial(_Handler, doors))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    largest = LARGEST_BODY
    wbufsize = 65_536  # head and body leave together
    timeout = 30  # a sender that stops in the middle holds one thread for so long, and nobody else

    def __init__(self, doors: Mapping[str, Take], request: Any, client_address: Any, server: Any) -> None:
        self._doors = doors
        super().__init__(request, client_address, server)

    def do_POST(self) -> None:
        self._send(self._reply())

    def _reply(self) -> Reply:
        take = self._doors.get(self.path)
        length = self.headers.get("content-length", "")
        if take is None or not length.isdigit() or int(length) > self.largest:
            self.close_connection = True
            return Reply(404 if take is None else 411 if not length.isdigit() else 413)
        body = self.rfile.read(int(length))
        if len(body) < int(length):  # the sender hung up: nothing was said
            self.close_connection = True
            return Reply(400)
        return take(dict(self.headers), body)

    def _send(self, reply: Reply) -> None:
        try:
            self.send_response(reply.status)
            for name, value in {**reply.headers, "content-length": str(len(reply.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing: a request can name a person."""
