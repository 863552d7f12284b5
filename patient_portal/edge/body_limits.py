"""How much a request may carry: little, but where a view says that it takes files. Files never touch the disk.

The limit is set before anything reads the body, and only for those whom the gate lets pass, so that a stranger cannot
make the service read megabytes.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import IO, Any, TypeVar

from flask import Flask, Request, request

View = TypeVar("View", bound=Callable[..., Any])


class InMemory(Request):
    """A request whose files stay in memory: a scan of somebody's record has no place in a temporary folder."""

    def _get_file_stream(
        self,
        total_content_length: int | None,  # noqa: ARG002 - Werkzeug's own signature
        content_type: str | None,  # noqa: ARG002 - the same
        filename: str | None = None,  # noqa: ARG002 - the same
        content_length: int | None = None,  # noqa: ARG002 - the same
    ) -> IO[bytes]:
        return BytesIO()


def takes_files(most_bytes: int) -> Callable[[View], View]:
    """Declare that a view takes bodies of this size; stands under the gate."""

    def declare(view: View) -> View:
        view.most_bytes = most_bytes  # type: ignore[attr-defined]  # a mark on the function itself
        return view

    return declare


def limit_bodies(app: Flask) -> None:
    """Install the hook: after the gate's, before the form token is read."""
    app.request_class = InMemory

    @app.before_request
    def limit() -> None:
        most = getattr(app.view_functions.get(request.endpoint or ""), "most_bytes", None)
        if most is not None:
            request.max_content_length = most
