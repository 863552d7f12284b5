"""Start one hospital on a real port."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Response as AnyResponse

from sandbox.hospital.authorization import authorization_server
from sandbox.hospital.chart_pages import chart_pages, fault_pages
from sandbox.hospital.configuration import HospitalConfig
from sandbox.hospital.discovery import discovery
from sandbox.hospital.fhir_api import fhir_api
from sandbox.hospital.hospital import Hospital, state_port
from sandbox.hospital.oauth_pages import oauth_pages, token_endpoints

_ADDRESS = "127.0.0.1"


class _Quiet(WSGIRequestHandler):
    """No request log: URLs carry codes and launch values."""

    def log(self, type: str, message: str, *args: Any) -> None:  # werkzeug's signature
        """Nothing."""


@dataclass(frozen=True)
class RunningHospital:
    """A hospital that answers. `stop` ends it and frees its port."""

    url: str
    fhir_url: str
    hospital: Hospital
    _server: BaseWSGIServer
    _thread: threading.Thread

    def stop(self) -> None:
        """Stop serving; returns when the port is free."""
        self._server.shutdown()
        self._thread.join(timeout=10)
        self._server.server_close()


def build_app(hospital: Hospital) -> Flask:
    """The Flask app of one hospital."""
    app = Flask(__name__, template_folder="pages", static_folder="static")
    app.secret_key = hospital.keys.secret
    app.config["SESSION_COOKIE_NAME"] = f"sandbox_{hospital.config.id.replace('-', '_')}"
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    app.context_processor(lambda: {"hospital_name": hospital.config.name, "hospital_id": hospital.config.id})
    app.register_blueprint(discovery(hospital))
    oauth = authorization_server(app, hospital)
    app.register_blueprint(oauth_pages(hospital, oauth))
    app.register_blueprint(token_endpoints(hospital, oauth))
    app.register_blueprint(chart_pages(hospital))
    app.register_blueprint(fault_pages(hospital))
    app.register_blueprint(fhir_api(hospital))
    app.after_request(_safe_headers)
    return app


def _safe_headers(response: AnyResponse) -> AnyResponse:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    if response.mimetype == "text/html":
        policy = "default-src 'none'; style-src 'self'; img-src 'self'"
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers["Cache-Control"] = "no-store"
    return response


def _listen(config: HospitalConfig) -> socket.socket:
    """A listening socket: the wanted port, or for port 0 the last one when free, or any."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    last = state_port(config.state_dir) if config.port == 0 else 0
    bound = False
    if last:
        with contextlib.suppress(OSError):
            listener.bind((_ADDRESS, last))
            bound = True
    if not bound:
        listener.bind((_ADDRESS, config.port))
    listener.listen(128)
    return listener


def start(config: HospitalConfig) -> RunningHospital:
    """Start the hospital in a thread of this process. Raises OSError when its port is taken."""
    config.state_dir.mkdir(parents=True, exist_ok=True)
    with _listen(config) as listener:
        port = listener.getsockname()[1]
        hospital = Hospital(config, port)
        (config.state_dir / "port").write_text(str(port))
        server = make_server(
            _ADDRESS, port, build_app(hospital), threaded=True, request_handler=_Quiet, fd=listener.fileno()
        )
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name=f"hospital-{config.id}", daemon=True)
    thread.start()
    return RunningHospital(hospital.url, hospital.fhir_url, hospital, server, thread)
