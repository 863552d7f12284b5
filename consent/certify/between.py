"""A way to a FHIR server on which something else happens between its answer to a question and our transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from outbound.client import OutboundClient, OutboundResponse


class Between(OutboundClient):
    """Everything goes over `http`; before the second Bundle `meanwhile` is done, once."""

    def __init__(self, http: OutboundClient, meanwhile: Callable[[], None]) -> None:
        self._http, self._meanwhile, self._bundles = http, meanwhile, 0

    def request(self, method: str, url: str, **more: Any) -> OutboundResponse:
        sends = method == "POST" and more.get("body") is not None  # asking for a token is a form
        self._bundles += sends
        if sends and self._bundles == 2:
            self._meanwhile()
        return self._http.request(method, url, **more)
