"""The guarded way out for libraries that bring their own `requests` session (Authlib, Twilio)."""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import BaseAdapter

from outbound.guarded_way import GuardedWay
from outbound.pinned_connection import PinnedTransport


class FinalResponse(requests.Response):
    """An answer that no session follows elsewhere: 3xx is handed to the caller as it is (SEC-05)."""

    @property
    def is_redirect(self) -> bool:
        return False

    @property
    def is_permanent_redirect(self) -> bool:
        return False


class GuardedAdapter(BaseAdapter):
    """A `requests` adapter over a GuardedWay, whose errors it raises."""

    def __init__(self, way: GuardedWay, transport: PinnedTransport) -> None:
        super().__init__()
        self._way, self._transport = way, transport

    def send(self, request: requests.PreparedRequest, *_args: Any, **_kwargs: Any) -> requests.Response:
        """Send `request`; the caller's own timeout, proxies and verify are not taken."""
        target, answered, content = self._way.send(
            request.method or "", request.url or "", request.headers or {}, request.body
        )
        request.url = target.url
        response = self._transport.build_response(request, answered)
        final = FinalResponse()
        final.__dict__.update(response.__dict__, _content=content, _content_consumed=True)
        return final

    def close(self) -> None:
        """Nothing: the connections belong to the client and are shared."""
