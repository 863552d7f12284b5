"""The one guarded way out: every request to a hospital, a store or the text service goes through here."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urlencode

import orjson
import requests
from requests.cookies import RequestsCookieJar

from outbound.addresses import Resolver, system_resolver
from outbound.breaker import Breaker
from outbound.destinations import AllowList
from outbound.errors import OutboundFailed, OutboundRefused, OutboundTimeout
from outbound.guarded_adapter import GuardedAdapter
from outbound.guarded_way import GuardedWay
from outbound.limits import Limits
from outbound.pinned_connection import Dialer, PinnedTransport

AnySession = TypeVar("AnySession", bound=requests.Session)
AGENT = "patient-portal"
_LINE_END = re.compile(r"[\r\n]")
_HEADERS = {**requests.utils.default_headers(), "User-Agent": AGENT}


@dataclass(frozen=True)
class OutboundResponse:
    """An answer, read whole within its limits. `headers` ignores case; a 3xx is an answer like any other."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    def __repr__(self) -> str:  # address and body name people
        return f"OutboundResponse(status={self.status}, bytes={len(self.body)})"

    def json(self) -> Any:
        """The body as JSON; OutboundFailed("not-json") when it is not."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise OutboundFailed("not-json") from None


class OutboundClient:
    """Keeps connections alive and may be shared by threads; one per process, made from configuration.

    `resolver` and `breaker` exist so that tests can play the name server and the clock. `ca_bundle` is a file of
    certificate authorities to trust instead of the usual ones.
    """

    def __init__(
        self,
        allow_list: AllowList,
        *,
        limits: Limits | None = None,
        resolver: Resolver = system_resolver,
        breaker: Breaker | None = None,
        ca_bundle: str | None = None,
        pool_size: int = 20,
    ) -> None:
        self._limits = limits or Limits()
        self._dialer = Dialer(allow_list, resolver)
        self._breaker = breaker or Breaker()
        self._ca_bundle = ca_bundle
        self._transport = PinnedTransport(self._dialer, pool_size)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        form: Mapping[str, str] | None = None,
        within: str | None = None,
        limits: Limits | None = None,
    ) -> OutboundResponse:
        """Send one request and read its answer whole.

        `within` is the base address (a FHIR base, a store's endpoint) that the request may not leave; it is required
        when `headers` hold Authorization. Raises OutboundRefused (nothing was sent), OutboundTimeout,
        OutboundTooLarge or OutboundFailed.
        """
        if params:
            url += ("&" if "?" in url else "?") + urlencode(params)
        sent = _HEADERS | dict(headers or {})
        if form is not None:
            body = urlencode(form).encode()
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        if any(_LINE_END.search(part) for header in sent.items() for part in header):
            raise OutboundRefused("request-form")
        try:
            target, response, content = self._way((within,) if within else None, limits).send(method, url, sent, body)
        except ValueError:  # what is not HTTP: a method with a space, a header that is not Latin
            raise OutboundRefused("request-form") from None
        return OutboundResponse(response.status, response.headers, content, target.url)

    def guarded_session(
        self, *, within: str | tuple[str, ...] | None = None, limits: Limits | None = None
    ) -> requests.Session:
        """A `requests.Session` that can go nowhere else; for libraries that want one."""
        return self.guard(requests.Session(), within=within, limits=limits)

    def guard(
        self, session: AnySession, *, within: str | tuple[str, ...] | None = None, limits: Limits | None = None
    ) -> AnySession:
        """Put the guard on a session that a library made (Authlib's OAuth2Session is one); returns that session.

        Proxies, .netrc and certificates of the environment are not read, and cookies are never kept: connections
        are shared between patients.
        """
        locked_to = (within,) if isinstance(within, str) else within
        adapter = GuardedAdapter(self._way(locked_to, limits), self._transport)
        session.trust_env = False
        session.cookies = RequestsCookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
        session.headers["User-Agent"] = AGENT
        session.adapters.clear()
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def _way(self, locked_to: tuple[str, ...] | None, limits: Limits | None) -> GuardedWay:
        return GuardedWay(
            self._transport,
            self._breaker,
            limits=limits or self._limits,
            locked_to=locked_to,
            ca_bundle=self._ca_bundle,
        )

    def open_socket(self, url: str, timeout_seconds: float = 5.0) -> socket.socket:
        """A checked connection for what is not HTTP, such as `smtp://mail.example:587`; errors as for `request`."""
        target = self._dialer.allow_list.target(url)
        try:
            return self._dialer.dial(target.origin, timeout_seconds, ())
        except TimeoutError:
            raise OutboundTimeout("timeout") from None
        except OSError:
            raise OutboundFailed("connection") from None

    def close(self) -> None:
        """Close the kept connections."""
        self._transport.close()
