"""The web processes: granian serves the WSGI application made from the environment's settings."""

from __future__ import annotations

import gc
import multiprocessing
import multiprocessing.process
import os
import signal
from types import FrameType
from typing import Any

from flask import Flask
from granian.constants import Interfaces
from granian.server import Server

from patient_portal.api.app import create_api
from patient_portal.api.blueprints import BLUEPRINTS
from patient_portal.app import create_app
from patient_portal.logs import configure_logs
from patient_portal.settings import read_settings
from patient_portal.wiring import wire
from patient_portal.with_parent import end_with_parent

KEPT_REQUESTS = 128


def application() -> Flask:
    """The WSGI application; granian calls this once in each web process."""
    end_with_parent()
    configure_logs(os.environ.get("PORTAL_LOG_LEVEL", "info"))
    settings = read_settings(os.environ)
    return _settled(create_app(wire(settings, settings.database_url, application_name="portal-web")))


def api_application() -> Flask:
    """The application for programs, under the worker's login (ADR 0010)."""
    end_with_parent()
    configure_logs(os.environ.get("PORTAL_LOG_LEVEL", "info"))
    settings = read_settings(os.environ)
    return _settled(create_api(wire(settings, settings.database_url_worker, application_name="portal-api"), BLUEPRINTS))


def _settled(application: Flask) -> Flask:
    """What was made until now lives as long as the process: it is not looked through for garbage again, which takes
    0.1 s in the midst of a page; and a page makes more than the 700 things after which Python looks at the newest."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    return application


def serve_api(*, host: str, port: int, processes: int, threads: int) -> None:
    """Serve programs until SIGTERM or Ctrl-C."""
    _server(host, port, processes, threads, "api_application").serve()


def serve_pages(*, host: str, port: int, processes: int, threads: int) -> None:
    """Serve until SIGTERM or Ctrl-C; a second address for `/metrics` and `/readyz` when one is set."""
    inner = _serve_internal(os.environ.get("PORTAL_INTERNAL_BIND"))
    _server(host, port, processes, threads).serve()
    if inner is not None:
        inner.terminate()
        inner.join(10)


def _server(host: str, port: int, processes: int, threads: int, application: str = "application") -> Any:
    return Server(
        f"patient_portal.serving:{application}",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        factory=True,
        workers=processes,
        blocking_threads=threads,
        backlog=KEPT_REQUESTS * processes * threads,
        websockets=False,
        log_enabled=False,
        respawn_failed_workers=True,
        workers_kill_timeout=10,
    )


def _serve_internal(bind: str | None) -> multiprocessing.process.BaseProcess | None:
    if not bind:
        return None
    host, _, port = bind.rpartition(":")
    process = multiprocessing.get_context("spawn").Process(target=_internal, args=(host or "127.0.0.1", int(port)))
    process.start()
    return process


def _internal(host: str, port: int) -> None:
    end_with_parent()

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    _server(host, port, 1, 2).serve()
