"""The gate every request passes: listed origin, token kept at home, limits held, redirects not followed."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Any

import requests
import structlog
import urllib3.exceptions
from requests.adapters import BaseAdapter

from outbound.breaker import Breaker
from outbound.destinations import Target, within
from outbound.errors import OutboundFailed, OutboundRefused, OutboundTimeout, OutboundTooLarge
from outbound.limits import Deadline, Limits
from outbound.pinned_connection import PinnedTransport, current_deadline
from vocabulary.errors import PortalError

_log = structlog.get_logger()
_SECRET_HEADERS = ("authorization", "cookie", "proxy-authorization")
_PIECE = 65536


class FinalResponse(requests.Response):
    """An answer that no session follows elsewhere: 3xx is handed to the caller as it is (SEC-05)."""

    @property
    def is_redirect(self) -> bool:
        return False

    @property
    def is_permanent_redirect(self) -> bool:
        return False


class GuardedAdapter(BaseAdapter):
    """A `requests` adapter for libraries that bring their own session (Authlib, Twilio).

    `locked_to`: the base addresses at or below which this adapter may send; a request that carries a token or
    password needs one. None means any listed origin, without secrets. Raises the errors of outbound/errors.py.
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
        super().__init__()
        self._transport, self._breaker, self._limits = transport, breaker, limits
        self._locked_to, self._verify = locked_to, ca_bundle or True

    def send(self, request: requests.PreparedRequest, *_args: Any, **_kwargs: Any) -> requests.Response:
        """Send `request`; the caller's own timeout, proxies and verify are not taken."""
        try:
            target = self._checked(request)
        except OutboundRefused as error:
            _log.warning("outbound.refused", reason=error.reason)
            raise
        self._breaker.before(target.origin)
        try:
            response = self._call(request)
        except PortalError as error:
            if isinstance(error, OutboundTimeout | OutboundFailed):
                self._breaker.failed(target.origin)
            _log.warning("outbound.failed", origin=str(target.origin), reason=error.reason)
            raise
        self._breaker.succeeded(target.origin)
        return response

    def close(self) -> None:
        """Nothing: the connections belong to the client and are shared."""

    def _checked(self, request: requests.PreparedRequest) -> Target:
        target = self._transport.dialer.allow_list.target(request.url or "")
        if target.origin.scheme not in ("http", "https"):
            raise OutboundRefused("url-scheme")
        headers: Mapping[str, Any] = request.headers or {}
        if any(name.lower() in _SECRET_HEADERS for name in headers) and self._locked_to is None:
            raise OutboundRefused("secret-without-lock")
        if any(name.lower() == "host" for name in headers):
            raise OutboundRefused("host-header")
        if self._locked_to is not None and not any(within(target.url, base) for base in self._locked_to):
            raise OutboundRefused("outside-lock")
        request.url = target.url
        return target

    def _call(self, request: requests.PreparedRequest) -> requests.Response:
        limits = self._limits
        token = current_deadline.set(Deadline(limits.total_seconds))
        try:
            response = self._send_once_more_if_stale(request)
            try:
                body = _read_body(response, limits.max_bytes)
            finally:
                response.raw.close()
        except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError):
            raise OutboundTimeout("timeout") from None
        except requests.exceptions.SSLError:
            raise OutboundFailed("tls") from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError, http.client.HTTPException):
            raise OutboundFailed("connection") from None
        finally:
            current_deadline.reset(token)
        return _final(response, body)

    def _send_once_more_if_stale(self, request: requests.PreparedRequest) -> requests.Response:
        """A kept-alive connection may have died unseen; a request that changes nothing is sent a second time."""
        timeout = (self._limits.connect_seconds, self._limits.read_seconds)
        try:
            return self._transport.send(request, stream=True, timeout=timeout, verify=self._verify)
        except requests.exceptions.ConnectionError as error:
            if request.method not in ("GET", "HEAD") or not _closed_without_answer(error):
                raise
            return self._transport.send(request, stream=True, timeout=timeout, verify=self._verify)


def _closed_without_answer(error: requests.exceptions.ConnectionError) -> bool:
    cause = error.args[0] if error.args else None
    return isinstance(cause, urllib3.exceptions.ProtocolError) and any(
        isinstance(each, http.client.RemoteDisconnected | ConnectionResetError) for each in cause.args
    )


def _read_body(response: requests.Response, max_bytes: int) -> bytes:
    declared = response.headers.get("Content-Length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > max_bytes:
        raise OutboundTooLarge("declared-size")
    pieces, size = [], 0
    for piece in response.raw.stream(_PIECE, decode_content=True):
        size += len(piece)
        if size > max_bytes:
            raise OutboundTooLarge("body-size")
        pieces.append(piece)
    return b"".join(pieces)


def _final(response: requests.Response, body: bytes) -> FinalResponse:
    final = FinalResponse()
    final.__dict__.update(response.__dict__, _content=body, _content_consumed=True)
    return final
