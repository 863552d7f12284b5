"""The real Twilio client on the guarded way out, against the sandbox phone network, and its webhooks back to us."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from notifications.channels.channel import Accepted, Failed, OutgoingText
from notifications.channels.console import ConsoleChannel
from notifications.channels.twilio import TwilioChannel
from notifications.channels.twilio_webhook import check_signature, read_inbound, read_status, twiml
from notifications.confirmations import confirm_decision
from notifications.contact import add_number, confirm_number, contact_of
from notifications.inbound import receive_text
from notifications.send import send_due
from notifications.status_events import receive_status
from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination
from sandbox.phone.config import PhoneConfig
from sandbox.phone.server import RunningPhone, start
from tests.parts.notifications.conftest import AGREED, NUMBER, Desk
from vocabulary.errors import Refused

SID, TOKEN = "AC" + "a" * 32, "token-of-the-sandbox"


@pytest.fixture
def phone(tmp_path: Path, httpserver: HTTPServer) -> Iterator[RunningPhone]:
    base = httpserver.url_for("").rstrip("/")
    running = start(PhoneConfig(SID, TOKEN, tmp_path, portal=base, delay_seconds=0.01, opt_out="off"))
    yield running
    running.stop()


def channel_to(base: str, listed: str | None = None, token: str = TOKEN, callback: str | None = None) -> TwilioChannel:
    client = OutboundClient(AllowList([destination(listed or base, private=True)]))
    return TwilioChannel(
        account_sid=SID,
        auth_token=token,
        messaging_service_sid="MG" + "b" * 32,
        session=client.guarded_session(within=base),
        status_callback=callback,
        api_base=base,
    )


def text(to: str = NUMBER, body: str = "My Record Portal: You have an update.") -> OutgoingText:
    return OutgoingText(uuid4(), to, body)


def test_text_goes_out_by_the_real_client(phone: RunningPhone) -> None:
    """SMS-12: service id, E.164 recipient and body reach the network; only the base address differs."""
    outcome = channel_to(phone.url).send(text())
    assert isinstance(outcome, Accepted)
    assert outcome.status == "accepted"
    [sent] = phone.texts_to(NUMBER)
    assert (sent["sid"], sent["service"], sent["body"]) == (outcome.sid, "MG" + "b" * 32, text().body)


@pytest.mark.parametrize(
    ("to", "failed"),
    [
        ("+15005550001", Failed("21211", retry=False)),
        ("+15005550004", Failed("21610", retry=False)),
        ("+12025550129", Failed("20429", retry=True, retry_after_seconds=60)),
    ],
)
def test_refusals_are_values(phone: RunningPhone, to: str, failed: Failed) -> None:
    """SMS-11: what the network refuses is told by its code, never raised."""
    assert channel_to(phone.url).send(text(to)) == failed


def test_troubles_are_values_and_doubt_is_said(phone: RunningPhone) -> None:
    """SMS-12: when we cannot know whether a text was taken, the answer says so."""
    channel = channel_to(phone.url)
    phone.behave(lost_answers=1)
    lost = channel.send(text())
    assert isinstance(lost, Failed)
    assert lost.doubtful
    since = datetime.now(tz=UTC) - timedelta(minutes=1)
    found = channel.sent_to(NUMBER, since)
    assert found is not None
    assert [one.body for one in found] == [text().body]
    assert channel.sent_to("+16175550199", since) == []
    assert channel_to(phone.url, token="wrong").send(text()) == Failed("20003", retry=False)
    assert channel_to(phone.url, token="wrong").sent_to(NUMBER, since) is None


def test_network_that_is_away_or_not_allowed(phone: RunningPhone) -> None:
    """SEC-05: a host that is not configured is never called; one that is down is a doubt, not an error."""
    assert channel_to(phone.url, listed="http://localhost:1").send(text()) == Failed("origin-not-listed", retry=False)
    away = channel_to("http://localhost:1")
    outcome = away.send(text())
    assert isinstance(outcome, Failed)
    assert outcome.retry
    assert away.sent_to(NUMBER, datetime.now(tz=UTC)) is None


def test_console_stands_in(desk: Desk) -> None:
    """SMS-12: without a text network the same verbs run, and nothing is sent."""
    console = ConsoleChannel()
    person = desk.new_person()
    desk.add(person, now=datetime.now(tz=UTC))
    assert send_due(desk.worker, console, datetime.now(tz=UTC)).sent == 1
    assert console.sent_to(NUMBER, datetime.now(tz=UTC))


def wait_for(done: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def serve_webhooks(desk: Desk, httpserver: HTTPServer) -> list[int]:
    """The portal's two webhook routes, as the web will make them; returns the statuses answered."""
    base = httpserver.url_for("").rstrip("/")
    answered: list[int] = []

    def take(request: Request) -> Response:
        now = datetime.now(tz=UTC)
        try:
            signature = request.headers.get("X-Twilio-Signature")
            check_signature(TOKEN, request.url, request.form, signature, public_base=base)
            if request.path.endswith("/status"):
                receive_status(desk.web, read_status(request.form, request.args), now)
                response = Response(status=204)
            else:
                reply = receive_text(desk.web, read_inbound(request.form), now)
                response = Response(twiml(reply.text), content_type="text/xml")
        except Refused:
            response = Response(status=403)
        answered.append(response.status_code)
        return response

    for path in ("/webhooks/twilio/status", "/webhooks/twilio/inbound"):
        httpserver.expect_request(path, method="POST").respond_with_handler(take)
    return answered


def test_whole_conversation(desk: Desk, phone: RunningPhone, httpserver: HTTPServer) -> None:
    """SMS-02: code, opt-in, confirmation, STOP, START over real HTTP, with every webhook signed and taken."""
    answered = serve_webhooks(desk, httpserver)
    channel = channel_to(phone.url, callback=httpserver.url_for("/webhooks/twilio/status"))
    phone.behave(order="reversed", duplicates=1)

    def send() -> None:
        send_due(desk.worker, channel, datetime.now(tz=UTC))

    def on_phone() -> list[str]:
        return [one["body"] for one in phone.texts_to(NUMBER)]

    person = desk.new_person()
    now = datetime.now(tz=UTC)
    contact = add_number(
        desk.web, person, NUMBER, language="en", zone=None, account=None, address="10.0.0.1", now=now
    )  # fmt: skip
    send()
    code = on_phone()[0].split("code is ")[1][:6]
    assert confirm_number(desk.web, person, contact, code, AGREED, datetime.now(tz=UTC)) == "right"
    confirm_decision(desk.worker, person, "d1", now=datetime.now(tz=UTC))
    send()
    assert len(on_phone()) == 3
    phone.text_from(NUMBER, "no mas")
    wait_for(lambda: len(on_phone()) == 4)
    assert "no more texts" in on_phone()[-1]
    confirm_decision(desk.worker, person, "d2", now=datetime.now(tz=UTC))
    send()
    assert len(on_phone()) == 4
    phone.text_from(NUMBER, "START")
    wait_for(lambda: len(on_phone()) == 5)
    view = contact_of(desk.web, person)
    assert view is not None
    assert view.texts_on
    wait_for(lambda: [one.state for one in desk.messages(person)] == ["delivered"] * 3)
    wait_for(lambda: len(answered) == 3 * 3 * 2 + 2)
    assert set(answered) == {200, 204}
