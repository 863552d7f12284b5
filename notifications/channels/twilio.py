"""Texts through Twilio, by Twilio's own client on our guarded way out (requirements SMS-11, SMS-12).

`TWILIO_API_BASE` replaces the host of every request, so that the same client talks to a network of another address.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from notifications.channels.channel import Accepted, Failed, FoundText, OutgoingText
from vocabulary.errors import Refused, Unavailable

API_BASE = "https://api.twilio.com"
LISTED_AT_MOST = 50


class GuardedHttpClient(HttpClient):  # type: ignore[misc]  # the library is untyped
    """Sends the client's requests through the session it is given, to `base` instead of Twilio's own host."""

    def __init__(self, session: requests.Session, base: str) -> None:
        super().__init__(logger=None, is_async=False, timeout=None)
        self._session, self._base = session, base.rstrip("/")

    def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,  # noqa: ARG002 - the library's signature; we never follow one
    ) -> Response:
        parts = urlsplit(url)
        place = f"{self._base}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        answer = self._session.request(
            method.upper(),
            place,
            params=params,
            data=data,
            headers=headers,
            auth=auth,
            timeout=timeout or 20,
            allow_redirects=False,
        )
        return Response(answer.status_code, answer.text, answer.headers)


class TwilioChannel:
    """One Twilio account and messaging service.

    `session` comes from `outbound` (`guarded_session(within=api_base)`). `status_callback` is the portal's address
    for status reports; our message id is added to it as `?m=`, which is how a report finds its text after a crash.
    """

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        messaging_service_sid: str,
        session: requests.Session,
        status_callback: str | None,
        api_base: str = API_BASE,
    ) -> None:
        self._client = Client(account_sid, auth_token, http_client=GuardedHttpClient(session, api_base))
        self._service = messaging_service_sid
        self._status_callback = status_callback

    def send(self, text: OutgoingText) -> Accepted | Failed:
        more = {"status_callback": f"{self._status_callback}?m={text.message}"} if self._status_callback else {}
        try:
            sent = self._client.messages.create(to=text.to, body=text.body, messaging_service_sid=self._service, **more)
        except TwilioRestException as error:
            return _failed(error)
        except Refused as error:
            return Failed(error.reason, retry=False)
        except (Unavailable, requests.RequestException, TwilioException, ValueError):
            # The request may have arrived before the answer was lost.
            return Failed("no-answer", retry=True, doubtful=True)
        return Accepted(str(sent.sid), str(sent.status))

    def sent_to(self, to: str, since: datetime) -> list[FoundText] | None:
        try:
            listed = self._client.messages.list(to=to, date_sent_after=since.astimezone(UTC), limit=LISTED_AT_MOST)
        except (Refused, Unavailable, requests.RequestException, TwilioException, ValueError):
            return None
        return [
            FoundText(str(one.sid), str(one.status), str(one.body), one.date_created)
            for one in listed
            if str(one.direction).startswith("outbound")
        ]


def _failed(error: TwilioRestException) -> Failed:
    if error.status == 429:
        return Failed(str(error.code or 20429), retry=True, retry_after_seconds=60)
    if error.status >= 500:
        return Failed(str(error.code or error.status), retry=True, doubtful=True)
    return Failed(str(error.code or error.status), retry=False)
