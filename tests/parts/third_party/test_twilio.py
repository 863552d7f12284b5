"""The product's texts, held against Twilio's own description of its API by a server that is not ours (Prism)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
import requests

from notifications.channels.channel import Accepted, Failed, OutgoingText
from notifications.channels.twilio import TwilioChannel
from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination

ACCOUNT = "AC" + "0123456789abcdef" * 2
SERVICE = "MG" + "0123456789abcdef" * 2
TEXT = OutgoingText(UUID(int=7), "+13035550101", "Your choice is saved. Reply STOP to end texts.")


@pytest.fixture
def http(twilio_prism: str) -> Iterator[OutboundClient]:
    client = OutboundClient(AllowList([destination(twilio_prism, private=True)]))
    yield client
    client.close()


def channel(
    base: str, http: OutboundClient, service: str = SERVICE, seen: list[requests.Response] | None = None
) -> TwilioChannel:
    """The product's channel; every answer it gets is added to `seen`."""
    session = http.guarded_session(within=base)
    session.hooks["response"].append(lambda answer, **_more: (seen if seen is not None else []).append(answer))
    return TwilioChannel(
        account_sid=ACCOUNT,
        auth_token="a token",
        messaging_service_sid=service,
        session=session,
        status_callback="https://portal.example/webhooks/twilio/status",
        api_base=base,
    )


def test_a_text_of_ours_is_what_twilio_describes(twilio_prism: str, http: OutboundClient) -> None:
    """SMS-11: the request is valid by Twilio's OpenAPI, and its example of an answer is understood."""
    sent = channel(twilio_prism, http).send(TEXT)
    assert isinstance(sent, Accepted)
    assert sent.sid.startswith("SM")
    assert sent.status == "queued"


def test_the_list_of_texts_is_asked_for_as_described(twilio_prism: str, http: OutboundClient) -> None:
    """SMS-12: looking for a text after a crash is a valid request too.

    Only the first one counts: the example's next page, which the client follows, breaks Twilio's own description (a
    date where it wants a moment).
    """
    seen: list[requests.Response] = []
    channel(twilio_prism, http, seen=seen).sent_to(TEXT.to, datetime(2026, 11, 22, tzinfo=UTC))
    assert seen[0].status_code == 200
    assert "DateSent%3E=2026-11-22T00" in str(seen[0].request.url)
    assert seen[0].json()["messages"]


def test_a_wrong_request_is_refused(twilio_prism: str, http: OutboundClient) -> None:
    """SMS-11: without `To`, without credentials or with a malformed service, the check says no."""
    url = f"{twilio_prism}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    form = {"Body": "Hello", "MessagingServiceSid": SERVICE}
    without_to = requests.post(url, data=form, auth=(ACCOUNT, "a token"), timeout=20)
    assert without_to.status_code == 422
    assert "required property 'To'" in without_to.text
    assert requests.post(url, data={**form, "To": TEXT.to}, auth=(ACCOUNT, "a token"), timeout=20).status_code == 201
    assert requests.post(url, data={**form, "To": TEXT.to}, timeout=20).status_code == 401
    refused = channel(twilio_prism, http, service="not-a-service").send(TEXT)
    assert isinstance(refused, Failed)
    assert not refused.retry
