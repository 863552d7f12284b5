"""Asks the portal for events that were missed (`$events`), and has them obeyed like any others."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable

from .reading import Message, read_bundle
from .receiver import Receiver

Fetch = Callable[[str], bytes]
"""Gets an address with your access token (SMART Backend Services) and returns the body; raises OSError."""


def catch_up(receiver: Receiver, subscription_url: str, fetch: Fetch) -> int:
    """Ask for every missing range; how many events came. `subscription_url`: `<portal>/fhir/Subscription/<id>`.

    An answer holds at most 500 events, from the beginning of the range; an event that the portal cannot tell yet comes
    later. Call it after a message, and after a heartbeat.
    """
    count = 0
    for first, last in receiver.memory.missing():
        while first <= last:
            asked = {"eventsSinceNumber": first, "eventsUntilNumber": last, "content": "full-resource"}
            message = read_bundle(json.loads(fetch(f"{subscription_url}/$events?{urllib.parse.urlencode(asked)}")))
            if not message.events:
                break
            with receiver.memory.change():
                receiver.act(Message(message.events))
            count += len(message.events)
            first = max(event.number for event in message.events) + 1
    return count


def with_token(token: Callable[[], str], timeout_seconds: float = 30.0) -> Fetch:
    """A `fetch` over HTTPS; `token` gives the access token and is asked before each request."""

    def fetch(url: str) -> bytes:
        if not url.startswith("https://"):
            raise OSError("the portal's address must be https")
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token()}"})  # noqa: S310 - https, above
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=timeout_seconds) as answer:
            return bytes(answer.read())

    return fetch


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token elsewhere."""

    def redirect_request(self, *_: object) -> None:
        return None
