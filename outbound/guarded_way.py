"""The gate every request passes: listed origin, token kept at home, limits held, redirects not followed."""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
import urllib3.exceptions
from urllib3.response import BaseHTTPResponse

from outbound.breaker import Breaker
from outbound.destinations import Target, is_below
from outbound.errors import OutboundFailed, OutboundRefused, OutboundTimeout, OutboundTooLarge
from outbound.limits import Deadline, Limits
from outbound.pinned_connection import PinnedTransport, current_deadline
from vocabulary.errors import PortalError

_log = structlog.get_logger()
_SECRET_HEADERS = ("authorization", "cookie", "proxy-authorization")
_PIECE = 65536


class GuardedWay:
    """Checks, sends and reads one request whole. Raises the errors of outbound/errors.py.

    `locked_to`: the base addresses at or below which it may send; a request that carries a token or password needs
    one. None means any listed origin, without secrets.
    """

    def __init__(
        self,
        transport: PinnedTransport,
        breaker: Breaker,
        *,
        limits: Limits,
        locked_to: tuple[str, ...] | None,
        ca_bundle: str | None = None,
    ) -> None:
        self._transport, self._breaker, self._limits = transport, breaker, limits
        self._locked_to, self._ca_bundle = locked_to, ca_bundle

    def send(
        self, method: str, url: str, headers: Mapping[str, Any], body: Any = None
    ) -> tuple[Target, BaseHTTPResponse, bytes]:
        """The address as it was read, the answer's head, and its body, decompressed."""
        try:
            target = self._checked(url, headers)
        except OutboundRefused as error:
            _log.warning("outbound.refused", reason=error.reason)
            raise
        self._breaker.before(target.origin)
        try:
            response, content = self._call(method, target, headers, body)
        except PortalError as error:
            if isinstance(error, OutboundTimeout | OutboundFailed):
                self._breaker.failed(target.origin)
            _log.warning("outbound.failed", origin=str(target.origin), reason=error.reason)
            raise
        self._breaker.succeeded(target.origin)
        return target, response, content

    def _checked(self, url: str, headers: Iterable[str]) -> Target:
        target = self._transport.dialer.allow_list.target(url)
        if target.origin.scheme not in ("http", "https"):
            raise OutboundRefused("url-scheme")
        names = {name.lower() for name in headers}
        if self._locked_to is None and not names.isdisjoint(_SECRET_HEADERS):
            raise OutboundRefused("secret-without-lock")
        if "host" in names:
            raise OutboundRefused("host-header")
        if self._locked_to is not None and not any(is_below(target, base) for base in self._locked_to):
            raise OutboundRefused("outside-lock")
        return target

    def _call(
        self, method: str, target: Target, headers: Mapping[str, Any], body: Any
    ) -> tuple[BaseHTTPResponse, bytes]:
        limits = self._limits
        token = current_deadline.set(Deadline(limits.total_seconds))
        try:
            response = self._send_once_more_if_stale(method, target, headers, body)
            try:
                return response, _read_body(response, limits.max_bytes)
            finally:
                response.close()
        except urllib3.exceptions.NewConnectionError:  # urllib3 counts it among the time-outs
            raise OutboundFailed("connection") from None
        except (urllib3.exceptions.TimeoutError, TimeoutError):
            raise OutboundTimeout("timeout") from None
        except urllib3.exceptions.SSLError:
            raise OutboundFailed("tls") from None
        except (urllib3.exceptions.HTTPError, OSError, http.client.HTTPException):
            raise OutboundFailed("connection") from None
        finally:
            current_deadline.reset(token)

    def _send_once_more_if_stale(
        self, method: str, target: Target, headers: Mapping[str, Any], body: Any
    ) -> BaseHTTPResponse:
        """A kept-alive connection may have died unseen; a request that changes nothing is sent a second time."""
        try:
            return self._transport.exchange(method, target, headers, body, self._limits, self._ca_bundle)
        except urllib3.exceptions.ProtocolError as error:
            if method not in ("GET", "HEAD") or not _closed_without_answer(error):
                raise
            return self._transport.exchange(method, target, headers, body, self._limits, self._ca_bundle)


def _closed_without_answer(error: urllib3.exceptions.ProtocolError) -> bool:
    return any(isinstance(each, http.client.RemoteDisconnected | ConnectionResetError) for each in error.args)


def _read_body(response: BaseHTTPResponse, max_bytes: int) -> bytes:
    declared = response.headers.get("Content-Length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > max_bytes:
        raise OutboundTooLarge("declared-size")
    pieces, size = [], 0
    for piece in response.stream(_PIECE, decode_content=True):
        size += len(piece)
        if size > max_bytes:
            raise OutboundTooLarge("body-size")
        pieces.append(piece)
    return b"".join(pieces)
