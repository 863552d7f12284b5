"""The least a web server can do: a hello page from Flask on granian, and a driver that asks for pages."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Thread

from flask import Flask

from database.embedded.server import free_port

PATIENCE_SECONDS = 60.0


def hello() -> Flask:
    """An application with one page."""
    app = Flask(__name__)
    app.add_url_rule("/", "hello", lambda: "hello")
    return app


@contextmanager
def serving(
    factory: str, environment: dict[str, str] | None = None, *, threads: int = 8, processes: int = 1
) -> Iterator[int]:
    """The port of `factory` (module:name) on granian, in processes of their own that are ended after."""
    port = free_port()
    argv = [sys.executable, "-m", "granian", "--interface", "wsgi", "--factory", "--host", "127.0.0.1"]
    argv += ["--port", str(port), "--blocking-threads", str(threads), "--workers", str(processes)]
    argv += ["--no-ws", "--no-log", factory]
    process = subprocess.Popen(argv, env=environment)
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
                _ask(connection)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _ask(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()


def hello_rate(seconds: float, at_once: int = 4) -> float:
    """Hello pages a second, by `at_once` kept connections."""
    with serving("benchmarks.harness.bare_pages:hello") as port:
        counts = [0] * at_once
        end = time.monotonic() + seconds

        def work(slot: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            while time.monotonic() < end:
                _ask(connection)
                counts[slot] += 1
            connection.close()

        threads = [Thread(target=work, args=(slot,)) for slot in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts) / seconds
