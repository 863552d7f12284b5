"""The sandbox phone network over real HTTP: Twilio's Messages API, its errors, callbacks and inbound texts."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from pytest_httpserver import HTTPServer
from twilio.request_validator import RequestValidator
from werkzeug import Request, Response

from sandbox.phone.config import PhoneConfig
from sandbox.phone.server import RunningPhone, start
from tests.support.testdata import testdata

SID, TOKEN = "AC" + "a" * 32, "token-of-the-sandbox"
SERVICE = "MG" + "b" * 32
TO = "+16175550150"


@pytest.fixture
def phone(tmp_path: Path, httpserver: HTTPServer) -> Iterator[RunningPhone]:
    running = start(PhoneConfig(SID, TOKEN, tmp_path, portal=httpserver.url_for("").rstrip("/"), delay_seconds=0.01))
    yield running
    running.stop()


def send(phone: RunningPhone, *, auth: tuple[str, str] = (SID, TOKEN), **form: str) -> requests.Response:
    return create(phone, form, auth)


def create(phone: RunningPhone, form: dict[str, str], auth: tuple[str, str] = (SID, TOKEN)) -> requests.Response:
    fields = {"To": TO, "MessagingServiceSid": SERVICE, "Body": "Hello", **form}
    url = f"{phone.url}/2010-04-01/Accounts/{SID}/Messages.json"
    return requests.post(url, data=fields, auth=auth, timeout=10)


def wait_for(done: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def idle(phone: RunningPhone) -> bool:
    return bool(requests.get(f"{phone.url}/texts", timeout=10).json()["waiting"] == 0)


def form_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.get_data(as_text=True), keep_blank_values=True))


def test_answers_have_the_fields_of_the_published_description(phone: RunningPhone) -> None:
    """SMS-12: the twin answers with exactly the fields of Twilio's Message resource."""
    description = json.loads(gzip.decompress(testdata("twilio/twilio_api_v2010.json.gz").read_bytes()))
    fields = set(description["components"]["schemas"]["api.v2010.account.message"]["properties"])
    answer = send(phone)
    assert answer.status_code == 201
    created = answer.json()
    assert set(created) == fields
    assert (created["status"], created["to"], created["messaging_service_sid"]) == ("accepted", TO, SERVICE)
    fetched = requests.get(f"{phone.url}{created['uri']}", auth=(SID, TOKEN), timeout=10).json()
    assert (set(fetched), fetched["sid"], fetched["body"]) == (fields, created["sid"], "Hello")


TROUBLES: list[tuple[dict[str, str], int, int]] = [
    ({"To": "6175550150"}, 21211, 400),
    ({"To": "+15005550001"}, 21211, 400),
    ({"To": "+12025550114"}, 21614, 400),
    ({"To": "+12025550108"}, 21408, 400),
    ({"To": "+12025550129"}, 20429, 429),
    ({"To": ""}, 21604, 400),
    ({"Body": ""}, 21602, 400),
    ({"Body": "x" * 1601}, 21617, 400),
    ({"MessagingServiceSid": ""}, 21603, 400),
]


@pytest.mark.parametrize(("form", "code", "status"), TROUBLES)
def test_refusals_carry_the_error_codes(phone: RunningPhone, form: dict[str, str], code: int, status: int) -> None:
    """SMS-11: refused texts are answered with Twilio's error body and leave no text."""
    answer = create(phone, form)
    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (status, code, status)
    assert phone.texts_to(form.get("To") or TO) == []


def test_wrong_token_or_account_is_refused(phone: RunningPhone) -> None:
    """SMS-12: Basic authentication with account SID and token."""
    assert send(phone, auth=(SID, "wrong")).json()["code"] == 20003
    assert send(phone, auth=("AC" + "c" * 32, TOKEN)).status_code == 401
    url = f"{phone.url}/2010-04-01/Accounts/AC{'c' * 32}/Messages.json"
    assert requests.get(url, auth=(SID, TOKEN), timeout=10).status_code == 404
    assert requests.get(url, timeout=10).status_code == 401


@pytest.mark.parametrize(
    ("to", "statuses", "error"),
    [(TO, ["queued", "sent", "delivered"], None), ("+12025550106", ["queued", "sent", "undelivered"], "30006")],
)
def test_status_callbacks_are_signed(
    phone: RunningPhone, httpserver: HTTPServer, to: str, statuses: list[str], error: str | None
) -> None:
    """SMS-10: each status arrives in order with a valid signature; SMS-11: magic numbers end undelivered."""
    httpserver.expect_request("/status").respond_with_data("", status=204)
    url = httpserver.url_for("/status") + "?m=our-id"
    sid = send(phone, To=to, StatusCallback=url).json()["sid"]
    wait_for(lambda: len(httpserver.log) == 3)
    seen = []
    for request, _ in httpserver.log:
        form = form_of(request)
        assert RequestValidator(TOKEN).validate(url, form, request.headers["X-Twilio-Signature"])
        assert form["MessageSid"] == sid
        seen.append(form["MessageStatus"])
    assert seen == statuses
    assert form_of(httpserver.log[-1][0]).get("ErrorCode") == error
    wait_for(lambda: phone.texts_to(to)[0]["status"] == statuses[-1])


def test_callbacks_can_come_doubled_and_in_reverse(phone: RunningPhone, httpserver: HTTPServer) -> None:
    """SMS-10: a network may repeat and reorder; the twin does so when asked."""
    httpserver.expect_request("/status").respond_with_data("", status=204)
    phone.behave(order="reversed", duplicates=1)
    send(phone, StatusCallback=httpserver.url_for("/status"))
    wait_for(lambda: len(httpserver.log) == 6)
    seen = [form_of(request)["MessageStatus"] for request, _ in httpserver.log]
    assert seen == ["delivered", "delivered", "sent", "sent", "queued", "queued"]
    wait_for(lambda: idle(phone))
    assert phone.texts_to(TO)[0]["status"] == "delivered"


def test_inbound_text_is_signed_and_tried_again(phone: RunningPhone, httpserver: HTTPServer) -> None:
    """SMS-12: an inbound text that the portal could not take comes again, with the same token and SID."""
    codes = iter([503, 200])
    httpserver.expect_request("/webhooks/twilio/inbound", method="POST").respond_with_handler(
        lambda _request: Response("", status=next(codes))
    )
    sid = phone.text_from("+1 617 555 0150", "no mas")
    wait_for(lambda: len(httpserver.log) == 2)
    first, second = (request for request, _ in httpserver.log)
    form = form_of(first)
    assert (form["MessageSid"], form["Body"], form["From"]) == (sid, "no mas", TO)
    url = httpserver.url_for("/webhooks/twilio/inbound")
    assert RequestValidator(TOKEN).validate(url, form, first.headers["X-Twilio-Signature"])
    assert form_of(second) == form
    assert first.headers["I-Twilio-Idempotency-Token"] == second.headers["I-Twilio-Idempotency-Token"]


def test_stop_blocks_until_start_and_help_answers_anyway(phone: RunningPhone, httpserver: HTTPServer) -> None:
    """SMS-05: the network acts on single words, says so by OptOutType and answers by itself."""
    httpserver.expect_request("/webhooks/twilio/inbound").respond_with_data("<Response/>", content_type="text/xml")
    for words, refused in ((" Stop ", True), ("HELP", True), ("please stop", True), ("start", False)):
        phone.text_from(TO, words)
        assert (send(phone).status_code == 400) is refused
    wait_for(lambda: len(httpserver.log) == 4)
    assert [form_of(request).get("OptOutType") for request, _ in httpserver.log] == ["STOP", "HELP", None, "START"]
    replies = [text["body"] for text in phone.texts_to(TO) if text["direction"] == "outbound-reply"]
    assert len(replies) == 3
    assert all(reply.startswith("My Record Portal: ") for reply in replies)


def test_twiml_answer_reaches_the_phone(phone: RunningPhone, httpserver: HTTPServer) -> None:
    """SMS-05: what the portal answers to an inbound text is sent to the person."""
    twiml = (
        '<?xml version="1.0"?><Response><Message><Body>Hi &amp; bye</Body></Message><Message>Two</Message></Response>'
    )
    httpserver.expect_request("/webhooks/twilio/inbound").respond_with_data(twiml, content_type="text/xml")
    phone.text_from(TO, "hello")
    wait_for(lambda: len(phone.texts_to(TO)) == 2)
    assert [text["body"] for text in phone.texts_to(TO)] == ["Hi & bye", "Two"]


def test_list_is_filtered_and_paged(phone: RunningPhone) -> None:
    """SMS-12: after a crash the list by recipient and time tells whether a text was sent."""
    for number in ("+16175550151", TO, TO, TO):
        send(phone, To=number)
    url = f"{phone.url}/2010-04-01/Accounts/{SID}/Messages.json"
    found: dict[str, Any] = requests.get(url, params={"To": TO, "PageSize": "2"}, auth=(SID, TOKEN), timeout=10).json()
    assert [text["to"] for text in found["messages"]] == [TO, TO]
    rest = requests.get(url, params={"To": TO, "PageSize": "2", "Page": "1"}, auth=(SID, TOKEN), timeout=10).json()
    assert len(rest["messages"]) == 1
    assert rest["next_page_uri"] is None
    later = {"To": TO, "DateSent>": "2100-01-01"}
    assert requests.get(url, params=later, auth=(SID, TOKEN), timeout=10).json()["messages"] == []


def test_page_shows_texts_like_a_phone(phone: RunningPhone, httpserver: HTTPServer) -> None:
    """SMS-05: the page shows each phone, escapes what was texted, and answers by a plain form."""
    httpserver.expect_request("/webhooks/twilio/inbound").respond_with_data("", status=204)
    send(phone, Body="You have an update.")
    phone.text_from(TO, "<script>alert(1)</script>")
    page = requests.get(phone.url, timeout=10).text
    assert "You have an update." in page
    assert "<script>" not in page
    assert 'action="/reply"' in page
    bad = requests.post(f"{phone.url}/reply", data={"from": "me", "body": "x"}, timeout=10)
    assert bad.status_code == 400


def test_troubles_on_demand(phone: RunningPhone) -> None:
    """SMS-12: a lost answer leaves the text sent, which is the case that reconciliation is for."""
    phone.behave(down=1, limited=1, lost_answers=1)
    assert [send(phone).status_code for _ in range(4)] == [503, 429, 500, 201]
    assert len(phone.texts_to(TO)) == 2


def test_process_keeps_texts_over_kill_nine(tmp_path: Path) -> None:
    """SMS-12: `python -m sandbox.phone` says where it listens, and forgets nothing when killed."""
    (tmp_path / "token").write_text(TOKEN + "\n")
    command = [sys.executable, "-m", "sandbox.phone", "--state-dir", str(tmp_path / "state"), "--account-sid", SID]
    command += ["--auth-token-file", str(tmp_path / "token")]
    for expected in (1, 2):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        try:
            url = json.loads(child.stdout.readline())["ready"]
            fields = {"To": TO, "From": "+18885550100", "Body": "Hello"}
            answer = requests.post(
                f"{url}/2010-04-01/Accounts/{SID}/Messages.json", data=fields, auth=(SID, TOKEN), timeout=10
            )
            assert answer.status_code == 201
            assert len(requests.get(f"{url}/texts", timeout=10).json()["texts"]) == expected
        finally:
            child.kill()
            child.wait(timeout=10)
            child.stdout.close()
