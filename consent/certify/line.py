"""The way to a store's test endpoint: whole messages, and messages that stop in the middle."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from consent.certify.judge import Answer
from consent.receipts import MAX_ANSWER_BYTES
from outbound.client import OutboundClient
from outbound.limits import Limits
from vocabulary.errors import PortalError

LIMITS = Limits(connect_seconds=5, read_seconds=20, total_seconds=30, max_bytes=MAX_ANSWER_BYTES)


class Line(Protocol):
    """How a store is reached. Nothing raises: what fails is an Answer with status 0 and a reason."""

    def post(self, headers: Mapping[str, str], body: bytes, beside: str = "") -> Answer:
        """One message to the endpoint, or to the door called `beside` next to it (`test`, `reconcile`)."""
        ...

    def halting(self, headers: Mapping[str, str], body: bytes, between: Callable[[], None] | None) -> Answer:
        """Half of a message, `between`, then the rest; without `between` the connection ends after the half."""
        ...


class HttpLine:
    """Over HTTP, by the rules of `outbound`; the doors are sibling paths of the endpoint's."""

    def __init__(self, http: OutboundClient, endpoint: str, limits: Limits = LIMITS) -> None:
        self._http, self._endpoint, self._limits = http, endpoint, limits

    def post(self, headers: Mapping[str, str], body: bytes, beside: str = "") -> Answer:
        url = urljoin(self._endpoint, beside) if beside else self._endpoint
        began = time.monotonic()
        try:
            answer = self._http.request("POST", url, headers=headers, body=body, within=url, limits=self._limits)
        except PortalError as error:
            return Answer(0, reason=error.reason, seconds=time.monotonic() - began)
        return Answer(answer.status, dict(answer.headers), answer.body, seconds=time.monotonic() - began)

    def halting(self, headers: Mapping[str, str], body: bytes, between: Callable[[], None] | None) -> Answer:
        parts = urlsplit(self._endpoint)
        lines = [f"POST {parts.path or '/'} HTTP/1.1", f"host: {parts.netloc}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()] + ["connection: close", "", ""]
        half, began = len(body) // 2, time.monotonic()
        try:
            with self._http.open_socket(self._endpoint) as plain:
                plain.settimeout(self._limits.read_seconds)
                secure = ssl.create_default_context().wrap_socket if parts.scheme == "https" else None
                connection = secure(plain, server_hostname=parts.hostname) if secure else plain
                connection.sendall("\r\n".join(lines).encode("latin-1") + body[:half])
                if between is None:
                    with suppress(OSError):
                        connection.close()
                    return Answer(0, reason="hung up, as it should", seconds=time.monotonic() - began)
                between()
                connection.sendall(body[half:])
                response = HTTPResponse(connection)
                response.begin()
                found = response.read(MAX_ANSWER_BYTES)
                return Answer(response.status, dict(response.headers), found, seconds=time.monotonic() - began)
        except PortalError as error:
            return Answer(0, reason=error.reason)
        except (OSError, HTTPException):
            return Answer(0, reason="connection")
