"""Runs the phone network on localhost: in a thread for tests, or by `python -m sandbox.phone`."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from flask import Flask, Response
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox.phone.behaviour import Behaviour
from sandbox.phone.config import PhoneConfig
from sandbox.phone.exchange import Exchange
from sandbox.phone.handset import Handset
from sandbox.phone.rest import Rest
from sandbox.phone.webhooks import Webhooks


class QuietHandler(WSGIRequestHandler):
    """Writes no access log: a request line can carry a number."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing."""


@dataclass(frozen=True)
class RunningPhone:
    """A phone network that answers; `url` is also what `TWILIO_API_BASE` is set to."""

    url: str
    config: PhoneConfig
    _server: BaseWSGIServer
    _thread: threading.Thread
    _webhooks: Webhooks
    _exchange: Exchange

    def text_from(self, number: str, words: str) -> str:
        """A person texts the portal; the SID of their text."""
        answer = requests.post(f"{self.url}/reply", data={"from": number, "body": words}, timeout=10)
        answer.raise_for_status()
        return str(answer.json()["sid"])

    def texts_to(self, number: str) -> list[dict[str, Any]]:
        """The texts that a phone got, oldest first."""
        answer = requests.get(f"{self.url}/texts", params={"to": number}, timeout=10)
        return list(answer.json()["texts"])

    def behave(self, **values: Any) -> None:
        requests.post(f"{self.url}/sandbox/behaviour", json=values, timeout=10).raise_for_status()

    def stop(self) -> None:
        self._webhooks.stop()
        self._server.shutdown()
        self._thread.join(timeout=5)
        self._server.server_close()
        self._exchange.close()


def start(config: PhoneConfig) -> RunningPhone:
    """Start the network on `localhost` in a thread and return once it listens; port 0 takes a free one."""
    folder = Path(__file__).parent
    app = Flask(__name__, template_folder=str(folder / "templates"), static_folder=str(folder / "static"))
    exchange, behaviour = Exchange(config.state_dir), Behaviour()
    webhooks = Webhooks(config, exchange, behaviour)
    app.register_blueprint(Rest(config, exchange, behaviour, webhooks).blueprint())
    app.register_blueprint(Handset(config, exchange, behaviour, webhooks).blueprint())

    @app.after_request
    def headers(response: Response) -> Response:
        response.headers["content-security-policy"] = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'"
        response.headers["x-content-type-options"] = "nosniff"
        response.headers["cache-control"] = "no-store"
        return response

    server = make_server("127.0.0.1", config.port, app, threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="phone", daemon=True)
    webhooks.start()
    thread.start()
    return RunningPhone(f"http://localhost:{server.server_port}", config, server, thread, webhooks, exchange)
