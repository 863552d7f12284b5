"""The post office with its page: mail comes in by SMTP, is kept in a folder, and can be read in a browser."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

from flask import Flask, Response, render_template
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox.post.smtp import Envelope, PostOffice

SHOWN = 100


class QuietHandler(WSGIRequestHandler):
    """Writes no access log."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing."""


class Mailbox:
    """Mails as files, numbered as they came."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def keep(self, envelope: Envelope) -> None:
        with self._lock:
            number = len(list(self._folder.glob("*.eml"))) + 1
            (self._folder / f"{number:06}.eml").write_bytes(envelope.raw)

    def newest(self) -> list[dict[str, Any]]:
        files = sorted(self._folder.glob("*.eml"), reverse=True)[:SHOWN]
        return [_shown(path) for path in files]


def _shown(path: Path) -> dict[str, Any]:
    message = message_from_bytes(path.read_bytes(), policy=default)
    body = message.get_body(("plain",))
    return {
        "to": message["To"],
        "sender": message["From"],
        "subject": message["Subject"],
        "words": body.get_content() if body is not None else "",
    }


@dataclass(frozen=True)
class RunningPost:
    """A post office that answers: `url` is its page, `smtp_url` where mail goes."""

    url: str
    smtp_url: str
    _office: PostOffice
    _server: BaseWSGIServer
    _thread: threading.Thread

    def stop(self) -> None:
        self._office.stop()
        self._server.shutdown()
        self._thread.join(timeout=5)
        self._server.server_close()


def start(folder: Path, *, port: int = 0, smtp_port: int = 0) -> RunningPost:
    """Start the office on `localhost` in threads and return once both parts listen; port 0 takes a free one."""
    mailbox = Mailbox(folder)
    here = Path(__file__).parent
    # The look of the sandbox's phones.
    app = Flask(__name__, template_folder=str(here / "templates"), static_folder=str(here.parent / "phone" / "static"))
    app.add_url_rule("/", view_func=lambda: render_template("post.html", mails=mailbox.newest()), endpoint="page")

    @app.after_request
    def headers(response: Response) -> Response:
        response.headers["content-security-policy"] = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'"
        response.headers["x-content-type-options"] = "nosniff"
        response.headers["cache-control"] = "no-store"
        return response

    office = PostOffice(port=smtp_port, kept=mailbox.keep)
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="post-page", daemon=True)
    thread.start()
    return RunningPost(f"http://localhost:{server.server_port}", office.url, office, server, thread)
