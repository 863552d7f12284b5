"""The stores of W3: one process that checks signatures, takes lines or Bundles, signs receipts, and remembers.

`python -m benchmarks.w3_receiver` writes its port and serves until its input ends. `POST /s/NAME` takes a delivery;
`POST /manner/NAME` sets how that store behaves (`delay_ms`, `answer`: good, 503, hang; `keeps` false: it only counts)
and forgets what it took; `GET /taken/NAME` gives what it took in order, a line `value version answer event
milliseconds` for each event. `/r/NAME` is the base of a FHIR server that holds nothing yet and takes what it is told.
"""

from __future__ import annotations

import socketserver
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson

from benchmarks.scale.world import PLATFORM
from consent.wire_signature import is_genuine, sign

SECRETS = PLATFORM.secrets
Delivery = tuple[float, bool, bytes]


@dataclass
class Manner:
    """One store: how it behaves, and the deliveries it took."""

    delay_ms: float = 0.0
    answer: str = "good"
    keeps: bool = True
    taken: list[Delivery] = field(default_factory=list)
    count: int = 0


STORES: dict[str, Manner] = {}


class Handler(socketserver.StreamRequestHandler):
    """HTTP/1.1 with kept connections, as little of it as these callers need."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        while line := self.rfile.readline():
            _, path, _ = line.split(b" ", 2)
            headers = {}
            while (field_line := self.rfile.readline()) not in (b"\r\n", b""):
                name, _, value = field_line.decode().partition(":")
                headers[name.lower()] = value.strip()
            body = self.rfile.read(int(headers.get("content-length", "0")))
            _, verb, store = path.decode().split("/", 2)
            status, more, answer = getattr(self, f"on_{verb}")(STORES.setdefault(store, Manner()), store, headers, body)
            head = "".join(f"{name}: {value}\r\n" for name, value in more.items())
            self.wfile.write(f"HTTP/1.1 {status} .\r\n{head}content-length: {len(answer)}\r\n\r\n".encode() + answer)

    def on_manner(self, _: Manner, store: str, _headers: dict[str, str], body: bytes) -> tuple[int, Any, bytes]:
        STORES[store] = Manner(**orjson.loads(body or b"{}"))
        return 200, {}, b""

    def on_count(self, manner: Manner, *_: object) -> tuple[int, Any, bytes]:
        return 200, {}, str(manner.count).encode()

    def on_taken(self, manner: Manner, *_: object) -> tuple[int, Any, bytes]:
        lines = []
        for at, is_bundle, body in list(manner.taken):
            events = _of_bundle(body) if is_bundle else [_of_line(item) for item in _lines(body)]
            lines += [b"%s %d %.3f" % (told, number, at * 1000) for told, number in events]
        return 200, {}, b"\n".join(lines)

    def on_r(self, _: Manner, path: str, _headers: dict[str, str], body: bytes) -> tuple[int, Any, bytes]:
        """A batch of reads finds nothing; a transaction is taken; anything else is a search that finds nothing."""
        answer: dict[str, object] = {"resourceType": "Bundle", "type": "searchset", "total": 0}
        manner = STORES.setdefault(path.split("/", maxsplit=1)[0], Manner())
        asked = orjson.loads(body) if body else {"type": "search"}
        if asked["type"] == "batch":
            answer = _responses("batch-response", [{"status": "404"}] * len(asked["entry"]))
        elif asked["type"] == "transaction":
            manner.taken.append((time.time(), True, body))
            manner.count += len(asked["entry"]) // 2
            answer = _responses("transaction-response", [{"status": "201", "etag": 'W/"1"'}] * len(asked["entry"]))
        return 200, {"content-type": "application/fhir+json"}, orjson.dumps(answer)

    def on_s(self, manner: Manner, store: str, headers: dict[str, str], body: bytes) -> tuple[int, Any, bytes]:
        while manner.answer == "hang" and STORES[store] is manner:
            time.sleep(0.02)  # until it is told to behave otherwise
        if manner.answer != "good":
            return 503, {}, b""
        now = datetime.now(UTC)
        if not is_genuine(SECRETS, headers, body, now):
            return 401, {}, b""
        receipts: Sequence[object] = []
        if "portal-notification" not in headers:
            is_bundle = "fhir" in headers["content-type"]
            receipts = _receipts_of_bundle(body) if is_bundle else _receipts_of_lines(body)
            if manner.keeps:
                manner.taken.append((time.time(), is_bundle, body))
            manner.count += len(receipts)
        answer = msgspec.json.encode({"store": store, "receipts": receipts})
        if manner.delay_ms:
            time.sleep(manner.delay_ms / 1000)
        return 200, {"content-type": "application/json", **sign(SECRETS, headers["webhook-id"], answer, now)}, answer


def _lines(body: bytes) -> list[dict[str, Any]]:
    """All lines at once: they are one JSON document each, and so is their list."""
    found: list[dict[str, Any]] = orjson.loads(b"[" + body[:-1].replace(b"\n", b",") + b"]")
    return found


class Receipt(msgspec.Struct, gc=False):
    """What is read of a line, and the receipt that is answered for it."""

    event: int
    version: int
    state: str = "applied"
    removed: int = 1


_RECEIPTS = msgspec.json.Decoder(Receipt)


def _receipts_of_lines(body: bytes) -> list[Receipt]:
    return _RECEIPTS.decode_lines(body)


def _receipts_of_bundle(body: bytes) -> list[dict[str, object]]:
    entries = orjson.loads(body)["entry"]
    numbers = [_number(part) for part in entries[0]["resource"]["parameter"] if part["name"] == "notification-event"]
    versions = [int(entry["resource"]["meta"]["versionId"]) for entry in entries[1:]]
    return [
        {"event": number, "version": version, "state": "applied", "removed": 1}
        for number, version in zip(numbers, versions, strict=True)
    ]


def _responses(kind: str, made: list[dict[str, str]]) -> dict[str, object]:
    return {"resourceType": "Bundle", "type": kind, "entry": [{"response": one} for one in made]}


def _number(part: dict[str, Any]) -> int:
    return int(part["part"][0]["valueString"])


def _of_line(line: dict[str, Any]) -> tuple[bytes, int]:
    return f"{line['subject']['value']} {line['version']} {line['answer']}".encode(), line["event"]


def _of_bundle(body: bytes) -> list[tuple[bytes, int]]:
    document = orjson.loads(body)
    entries = document["entry"]
    if document["type"] == "transaction":  # a Consent and its Provenance by turns; our version is an extension
        consents = [entry["resource"] for entry in entries[::2]]
        versions = [consent["extension"][0]["valuePositiveInt"] for consent in consents]
        numbers = [int(consent["identifier"][1]["value"]) for consent in consents]
    else:
        consents = [entry["resource"] for entry in entries[1:]]
        versions = [int(consent["meta"]["versionId"]) for consent in consents]
        parts = entries[0]["resource"]["parameter"]
        numbers = [_number(part) for part in parts if part["name"] == "notification-event"]
    found = []
    for number, version, consent in zip(numbers, versions, consents, strict=True):
        value = consent["patient"]["identifier"]["value"]
        answer = "no" if b'"type":"deny"' in orjson.dumps(consent["provision"]) else "yes"
        found.append((f"{value} {version} {answer}".encode(), number))
    return found


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64


def serve() -> None:
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    serve()
