"""Connections that go only where a check has just said, and end when their time is over.

The name is looked up once, every address is checked, and the socket connects to a checked number: a second lookup
that gives another answer (DNS rebinding) cannot happen. TLS still verifies the certificate for the name.
"""

from __future__ import annotations

import io
import logging
import socket
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from http.client import HTTPResponse
from typing import Any

import urllib3.exceptions
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolKey
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry, Timeout

from outbound.addresses import Resolver, usable_addresses
from outbound.destinations import AllowList, Origin, Target
from outbound.limits import Deadline, Limits

# urllib3 writes each path and query to its debug log; a query of ours names a patient (SEC-07).
logging.getLogger("urllib3.connectionpool").disabled = True

_NEVER = Retry(False, redirect=False)
_BUFFER = 65536
"""Bytes read at once: an answer of a usual size comes with one call of the system."""

current_deadline: ContextVar[Deadline | None] = ContextVar("current_deadline", default=None)


class Dialer:
    """Looks up, checks, connects."""

    def __init__(self, allow_list: AllowList, resolver: Resolver) -> None:
        self.allow_list, self._resolver = allow_list, resolver

    def dial(self, origin: Origin, timeout: float, options: Sequence[tuple[int, int, int | bytes]]) -> socket.socket:
        """A connected socket; OutboundRefused before any connection when a check fails, OSError when none answers."""
        allowed = self.allow_list.destination(origin)
        host = origin.host.strip("[]")
        deadline = Deadline(timeout)
        trouble: OSError = OSError("no address answered")
        for address in usable_addresses(self._resolver(host, origin.port), private=allowed.private):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                for option in options:
                    connection.setsockopt(*option)
                connection.settimeout(max(0.001, deadline.remaining()))
                connection.connect((address, origin.port))
                connection.settimeout(timeout)
                return connection
            except OSError as error:
                connection.close()
                trouble = error
        raise trouble


class _TimedReader(io.RawIOBase):
    """The bytes of an answer, as long as the call's time lasts: a slow drip ends at the deadline."""

    def __init__(self, raw: Any, connection: socket.socket, read_seconds: float, deadline: Deadline) -> None:
        self._raw, self._connection = raw, connection
        self._read_seconds, self._deadline = read_seconds, deadline
        self._waits: float | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._deadline.remaining()
        if remaining <= 0:
            raise TimeoutError("the call took too long")
        wait = min(self._read_seconds, remaining)
        if wait != self._waits:  # each change is a call of the system
            self._connection.settimeout(wait)
            self._waits = wait
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _TimedResponse(HTTPResponse):
    """http.client's response, reading head and body through a _TimedReader."""

    def __init__(
        self, sock: socket.socket, *args: Any, read_seconds: float, deadline: Deadline | None, **kwargs: Any
    ) -> None:
        super().__init__(sock, *args, **kwargs)
        if deadline is not None:
            raw = self.fp.detach()
            self.fp = io.BufferedReader(_TimedReader(raw, sock, read_seconds, deadline), _BUFFER)


class _Pinned(HTTPConnection):
    """What both kinds of connection share; `scheme` is set by each."""

    scheme = "http"

    def __init__(self, *args: Any, dialer: Dialer, **kwargs: Any) -> None:
        self._dialer = dialer
        super().__init__(*args, **kwargs)

    def _new_conn(self) -> socket.socket:
        host = self._dns_host.strip("[]").lower()
        origin = Origin(self.scheme, f"[{host}]" if ":" in host else host, int(self.port or 0))
        timeout = float(self.timeout) if isinstance(self.timeout, int | float) else 5.0
        try:
            return self._dialer.dial(origin, timeout, self.socket_options or ())
        except TimeoutError as error:
            raise urllib3.exceptions.ConnectTimeoutError(self, "connecting took too long") from error
        except OSError as error:
            raise urllib3.exceptions.NewConnectionError(self, "nothing answers there") from error

    def getresponse(self) -> urllib3.response.HTTPResponse:  # type: ignore[override]  # as in urllib3 itself
        read_seconds = float(self.timeout) if isinstance(self.timeout, int | float) else 20.0
        self.response_class = partial(  # type: ignore[assignment]  # http.client only calls it
            _TimedResponse, read_seconds=read_seconds, deadline=current_deadline.get()
        )
        return super().getresponse()


class _PinnedHttps(_Pinned, HTTPSConnection):
    scheme = "https"


class _HttpPool(HTTPConnectionPool):
    def __init__(self, *args: Any, dialer: Dialer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ConnectionCls = partial(_Pinned, dialer=dialer)  # type: ignore[assignment]  # urllib3 declares a class and only calls it


class _HttpsPool(HTTPSConnectionPool):
    def __init__(self, *args: Any, dialer: Dialer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ConnectionCls = partial(_PinnedHttps, dialer=dialer)  # type: ignore[assignment]  # urllib3 declares a class and only calls it


class PinnedTransport(HTTPAdapter):
    """requests' transport with kept-alive, checked connections; safe to share between threads."""

    def __init__(self, dialer: Dialer, pool_size: int) -> None:
        super().__init__(pool_connections=pool_size, pool_maxsize=pool_size, max_retries=0)
        self.dialer = dialer
        self._keys: dict[tuple[Origin, str | None], tuple[PoolKey, dict[str, Any]]] = {}
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(_HttpPool, dialer=dialer),
            "https": partial(_HttpsPool, dialer=dialer),
        }

    def exchange(
        self, method: str, target: Target, headers: Mapping[str, Any], body: Any, limits: Limits, ca_bundle: str | None
    ) -> BaseHTTPResponse:
        """Send one request over a kept connection; the answer's body is still to be read. Raises urllib3's errors.

        The same as `HTTPAdapter.send`, without what sessions need: that took longer than the request itself.
        """
        key, context = self._pool_key(target.origin, ca_bundle)
        pool = self.poolmanager.connection_from_pool_key(key, dict(context))
        answered: BaseHTTPResponse = pool.urlopen(
            method,
            target.path + target.query,
            body=body,
            headers=dict(headers),
            retries=_NEVER,
            redirect=False,
            assert_same_host=False,
            timeout=Timeout(connect=limits.connect_seconds, read=limits.read_seconds),
            preload_content=False,
            decode_content=False,
        )
        return answered

    def _pool_key(self, origin: Origin, ca_bundle: str | None) -> tuple[PoolKey, dict[str, Any]]:
        """By what the kept connections to an origin are found; worked out once, since there are few origins."""
        known = self._keys.get((origin, ca_bundle))
        if known is None:
            manager = self.poolmanager
            context = {
                **manager.connection_pool_kw, "scheme": origin.scheme, "host": origin.host.strip("[]"),
                "port": origin.port, "cert_reqs": "CERT_REQUIRED", "ca_certs": ca_bundle or DEFAULT_CA_BUNDLE_PATH,
            }  # fmt: skip
            known = self._keys[origin, ca_bundle] = manager.key_fn_by_scheme[origin.scheme](dict(context)), context
        return known
