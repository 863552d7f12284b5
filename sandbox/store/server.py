"""Runs one sandbox store on localhost: in a thread for tests, or as its own process by `python -m sandbox.store`."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flask import Flask, Response
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox.store.config import StoreConfig
from sandbox.store.discovery import rebuild
from sandbox.store.faults import Faults
from sandbox.store.hospital_feed import FeedFailed, People, hospital_people
from sandbox.store.late import LateReceipts
from sandbox.store.memory import Memory
from sandbox.store.receiving import SignedDoor
from sandbox.store.showing import OpenSide, run_feed

LARGEST_BODY = 64 * 1024 * 1024


class QuietHandler(WSGIRequestHandler):
    """Keeps the connection open between deliveries and writes no access log."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing: a request line can carry an identifier."""


class Nights:
    """The nightly feed, and Discovery's builds, on their own clock; also the first filling of a new store."""

    def __init__(self, config: StoreConfig, memory: Memory, people: People, late: LateReceipts) -> None:
        self._config, self._memory, self._people, self._late = config, memory, people, late
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"nights-{config.id}", daemon=True)

    def start(self) -> None:
        if self._config.role != "discovery" and self._config.role != "effort" and not self._memory.fact("last_feed"):
            self._first_filling()
        if self._config.nightly_seconds or self._config.role == "discovery":
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def _first_filling(self) -> None:
        try:
            run_feed(self._config, self._memory, self._people)
        except FeedFailed:
            # The platform is not up yet; the first night brings the copies.
            return

    def _night(self) -> bool:
        try:
            if self._config.role == "discovery":
                rebuild(self._config, self._memory)
                self._late.wake()
            elif self._config.role != "effort":
                run_feed(self._config, self._memory, self._people)
        except FeedFailed:
            return False
        return True

    def _run(self) -> None:
        while self._config.role == "discovery" and self._config.platform and not self._memory.fact("build"):
            if self._night() or self._stopping.wait(0.5):
                break
        while self._config.nightly_seconds and not self._stopping.wait(self._config.nightly_seconds):
            self._night()


@dataclass(frozen=True)
class RunningStore:
    """A store that answers: `url` is its base, `endpoint` where decisions go, `donations` where data goes."""

    url: str
    config: StoreConfig
    memory: Memory
    _server: BaseWSGIServer
    _thread: threading.Thread
    _nights: Nights
    _late: LateReceipts

    @property
    def endpoint(self) -> str:
        return f"{self.url}/notifications"

    @property
    def donations(self) -> str:
        return f"{self.url}/donations"

    def stop(self) -> None:
        self._server.shutdown()  # first of all: nothing new is taken while the rest ends
        self._nights.stop()
        self._late.stop()
        self._thread.join(timeout=5)
        self._server.server_close()
        self.memory.close()


def moment(text: str) -> str:
    """A time as people write it, in UTC."""
    return datetime.fromisoformat(text).strftime("%d %b %Y, %H:%M:%S UTC")


def make_app(config: StoreConfig, memory: Memory, people: People, late: LateReceipts) -> Flask:
    folder = Path(__file__).parent
    app = Flask(__name__, template_folder=str(folder / "templates"), static_folder=str(folder / "static"))
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.jinja_env.filters["moment"] = moment
    faults = Faults()
    app.register_blueprint(SignedDoor(config, memory, faults).blueprint())
    app.register_blueprint(OpenSide(config, memory, faults, people, late).blueprint())

    @app.after_request
    def headers(response: Response) -> Response:
        response.headers["content-security-policy"] = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'"
        response.headers["x-content-type-options"] = "nosniff"
        response.headers["cache-control"] = "no-store"
        return response

    return app


def start(config: StoreConfig, people: People = hospital_people) -> RunningStore:
    """Start the store on `localhost` in a thread and return once it listens; port 0 takes a free one."""
    memory = Memory(config.state_dir)
    late = LateReceipts(config, memory)
    app = make_app(config, memory, people, late)
    server = make_server("127.0.0.1", config.port, app, threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name=f"store-{config.id}", daemon=True)
    nights = Nights(config, memory, people, late)
    nights.start()
    late.start()
    thread.start()
    return RunningStore(f"http://localhost:{server.server_port}", config, memory, server, thread, nights, late)
