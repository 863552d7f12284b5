"""What machines send to the portal: real signed webhooks of the phone network, forged ones, and stores' receipts."""

from __future__ import annotations

import random
import string
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import create_engine, text
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from consent.wire_signature import sign
from database.unit_of_work import sqlalchemy_url
from patient_portal.wiring import now
from tests.support.phone import NUMBER, SID, TOKEN, Texts, texts, wait_until
from tests.support.portal import STORE_SECRET, Portal

__all__ = ["texts"]
INBOUND, STATUS = "/webhooks/twilio/inbound", "/webhooks/twilio/status"
TEXT = {"AccountSid": SID, "MessageSid": "SM" + "1" * 32, "From": NUMBER, "To": "+18885550100", "Body": "STOP"}
REPORT = {"AccountSid": SID, "MessageSid": "SM" + "2" * 32, "MessageStatus": "delivered"}
RECEIPTS = "/webhooks/stores/cancerlinq/receipts"


def signed(url: str, form: Mapping[str, Any], token: str = TOKEN) -> dict[str, str]:
    return {"X-Twilio-Signature": RequestValidator(token).compute_signature(url, form)}


def send(texts: Texts, path: str, form: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> TestResponse:
    """Post a form; signed as the network does unless other headers are given."""
    portal = texts.portal
    given = signed(portal.url + path, form) if headers is None else headers
    answer: TestResponse = portal.app.test_client().post(path, data=form, headers=given, base_url=portal.url)
    return answer


def traces(portal: Portal) -> list[object]:
    """All that a webhook could write."""
    tables = ("contact_consent", "inbound_message", "message", "decision", "receipt", "staff_task", "web_session")
    return [portal.rows(f"SELECT count(*) FROM {table}") for table in tables]


@pytest.mark.parametrize("path", [INBOUND, STATUS])
def test_forged_requests_are_refused_before_they_are_read(texts: Texts, path: str) -> None:
    """SMS-09, abuse 12: missing header, other token, other address, other fields: 403, no write, never a 500."""
    texts.proven()
    form, base = (TEXT if path == INBOUND else REPORT), texts.portal.url
    before = traces(texts.portal)
    forged: list[tuple[dict[str, str], dict[str, str]]] = [
        (form, {}),
        (form, {"X-Twilio-Signature": ""}),
        (form, {"X-Twilio-Signature": "AAAA"}),
        (form, {"X-Twilio-Signature": "\u00fc" * 28}),
        (form, signed(base + path, form, token="other")),
        (form, signed(base.replace("http://", "https://") + path, form)),
        (form, signed("https://portal.example.org" + path, form)),
        (form, signed(base + path + "?m=1", form)),
        (form, signed("https://evil.example" + path, form) | {"X-Forwarded-Host": "evil.example"}),
        (form | {"Extra": "1"}, signed(base + path, form)),
        ({key: value for key, value in form.items() if key != "AccountSid"}, signed(base + path, form)),
    ]
    assert [send(texts, path, *one).status_code for one in forged] == [403] * len(forged)
    client = texts.portal.app.test_client()
    assert client.get(path, query_string=form, headers=signed(base + path, form)).status_code == 405
    as_json = client.post(path, json=form, headers=signed(base + path, form), base_url=base)
    assert as_json.status_code == 403
    assert traces(texts.portal) == before


def test_no_mutation_of_a_true_request_passes(texts: Texts) -> None:
    """SMS-09, abuse 12: 500 changes of a valid request, none accepted; the request itself is."""
    chance, base = random.Random(12), texts.portal.url
    header = signed(base + INBOUND, TEXT)["X-Twilio-Signature"]
    body, accepted = urlencode(TEXT), 0
    client = texts.portal.app.test_client()
    for _ in range(500):
        where = chance.randrange(len(body))
        other = chance.choice([sign for sign in string.ascii_letters + string.digits if sign != body[where]])
        changed, given = body[:where] + other + body[where + 1 :], header
        if chance.random() < 0.3:
            changed, at = body, chance.randrange(len(header) - 2)
            given = header[:at] + ("A" if header[at] != "A" else "B") + header[at + 1 :]
        answer = client.post(
            INBOUND, data=changed, headers={"X-Twilio-Signature": given}, base_url=base,
            content_type="application/x-www-form-urlencoded",
        )  # fmt: skip
        accepted += answer.status_code != 403
    assert accepted == 0
    assert send(texts, INBOUND, TEXT).status_code == 200


def test_host_of_the_request_makes_no_difference(texts: Texts) -> None:
    """SMS-09: behind a proxy that calls us by another name, what Twilio signed for our own address still counts."""
    answer = texts.portal.app.test_client().post(
        INBOUND, data=TEXT, headers=signed(texts.portal.url + INBOUND, TEXT), base_url="http://10.0.0.7:9000"
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("form", "status"),
    [
        (TEXT | {"SomethingNew": "ü €", "ChannelMetadata": "{}"}, 200),
        (MultiDict([*TEXT.items(), ("MediaUrl", "one"), ("MediaUrl", "two")]), 200),
        (TEXT | {"Body": ""}, 200),
        (TEXT | {"From": "whatsapp:+1"}, 200),
        (TEXT | {"Body": "x" * 20_000}, 200),
        (TEXT | {"Body": "x" * 70_000}, 413),
        (TEXT | {"MessageSid": "S" * 400}, 403),
        ({"Body": "STOP"}, 403),
    ],
    ids=["unknown", "repeated", "empty", "foreign", "long", "huge", "no-sid", "bare"],
)
def test_true_requests_of_any_shape(texts: Texts, form: Mapping[str, str], status: int) -> None:
    """SMS-09: fields we do not know, repeated ones and odd senders are no error; what is not a text is refused."""
    answer = send(texts, INBOUND, form)
    assert answer.status_code == status
    if status == 200:
        assert answer.content_type == "text/xml; charset=utf-8"
        assert answer.text.startswith('<?xml version="1.0" encoding="UTF-8"?><Response')


def test_stop_start_and_help_over_the_network(texts: Texts) -> None:
    """SMS-03, SMS-04, SMS-05, X-02: STOP acts at once and is answered once, HELP always, START brings texts back;
    no decision, connection or token moves."""
    client = texts.proven()
    others = ("SELECT * FROM decision", "SELECT * FROM connection", "SELECT * FROM token")
    before = [texts.portal.rows(query) for query in others]
    for words, answer in (
        ("please stop", "You will get no more texts"),
        ("help", "Questions? Call (888) 282-2552"),
        ("start", "You will get texts again"),
    ):
        count = len(texts.to())
        texts.phone.text_from(NUMBER, words)
        wait_until(lambda count=count: len(texts.to()) == count + 1)  # type: ignore[misc]  # a default in a lambda has no type
        assert answer in texts.to()[-1]
        off = words != "start"
        assert ("We do not text you." in client.get("/notifications").text) is off
    assert [texts.portal.rows(query) for query in others] == before


def test_replayed_text_acts_once(texts: Texts) -> None:
    """SMS-12, abuse 13: the same MessageSid again has no second effect and gets the same answer; START after STOP
    is not undone by a replayed STOP."""
    texts.proven()
    first = send(texts, INBOUND, TEXT)
    assert "You will get no more texts" in first.text
    assert send(texts, INBOUND, TEXT | {"MessageSid": "SM" + "9" * 32, "Body": "START"}).status_code == 200
    assert send(texts, INBOUND, TEXT).data == first.data
    answers = texts.portal.rows("SELECT answer FROM contact_consent ORDER BY id")
    assert [row.answer for row in answers] == ["yes", "no", "yes"]


def test_network_that_answers_itself_gets_no_second_reply(texts: Texts) -> None:
    """SMS-05: with Advanced Opt-Out the network has replied; we note the STOP and stay silent."""
    client = texts.proven()
    answer = send(texts, INBOUND, TEXT | {"OptOutType": "STOP"})
    assert "<Message>" not in answer.text
    assert "We do not text you." in client.get("/notifications").text


def test_reports_rise_and_never_fall(texts: Texts) -> None:
    """SMS-09, SMS-10: the network's own reports come home; late, repeated, unknown and foreign ones are 204."""
    texts.proven()
    delivered = "SELECT state FROM message WHERE kind = 'code'"
    wait_until(lambda: [row.state for row in texts.portal.rows(delivered)] == ["delivered"])
    [message] = texts.portal.rows("SELECT id, sid FROM message WHERE kind = 'code'")
    for path, form in (
        (f"{STATUS}?m={message.id}", REPORT | {"MessageSid": message.sid, "MessageStatus": "sent"}),
        (f"{STATUS}?m={message.id}", REPORT | {"MessageSid": message.sid, "MessageStatus": "teleported"}),
        (f"{STATUS}?m={message.id}", REPORT | {"MessageSid": "SM" + "7" * 32}),
        (f"{STATUS}?m=00000000-0000-0000-0000-000000000000", REPORT),
        (f"{STATUS}?m=not-an-id&m=2", REPORT),
        (STATUS, REPORT),
    ):
        answer = send(texts, path, form)
        assert (answer.status_code, answer.data) == (204, b"")
    assert [row.state for row in texts.portal.rows(delivered)] == ["delivered"]


def test_without_a_text_network_nobody_is_believed(portal: Portal) -> None:
    """SMS-09: with no token configured, a signature made with an empty one is no signature."""
    for path, form in ((INBOUND, TEXT), (STATUS, REPORT)):
        headers = signed(portal.url + path, form, token="")
        assert portal.app.test_client().post(path, data=form, headers=headers).status_code == 403


def told(portal: Portal) -> None:
    """CancerLinQ was told of events 1 and 2 and has only accepted them; event 3 waits for its answer."""
    engine = create_engine(sqlalchemy_url(portal.database.superuser_url))
    with engine.begin() as connection:
        for first, last, answered in ((1, 2, "now()"), (3, 3, "NULL")):
            connection.execute(
                text(
                    "INSERT INTO store_batch (id, store_id, first_event, last_event, first_position, last_position,"
                    " positions, made_at, told_at, answered_at) VALUES (gen_random_uuid(), 'cancerlinq', :first,"
                    f" :last, :first, :last, ARRAY[1, 2], now(), now(), {answered})"
                ),
                {"first": first, "last": last},
            )
    engine.dispose()


def receipt(event: int = 1, state: str = "applied", store: str = "cancerlinq") -> bytes:
    one = f'{{"event": {event}, "version": 1, "state": "{state}", "removed": 4, "reference": "CLQ-7"}}'
    return f'{{"store": "{store}", "first": {event}, "last": {event}, "receipts": [{one}]}}'.encode()


def post_receipt(
    portal: Portal, body: bytes, headers: Mapping[str, str] | None = None, path: str = RECEIPTS
) -> TestResponse:
    given = sign([STORE_SECRET], "late_cancerlinq_1_1", body, now()) if headers is None else headers
    answer: TestResponse = portal.app.test_client().post(
        path, data=body, headers=dict(given), content_type="application/json"
    )
    return answer


def test_late_receipt_is_kept_once(portal: Portal) -> None:
    """SUB-08: a store that had only accepted says that it is done; the same again is 200 and changes nothing."""
    told(portal)
    assert [post_receipt(portal, receipt()).status_code for _ in range(3)] == [200, 200, 200]
    [kept] = portal.rows("SELECT store_id, event_number, state, removed FROM receipt")
    assert tuple(kept) == ("cancerlinq", 1, "applied", 4)


@pytest.mark.parametrize(
    ("body", "path", "status"),
    [
        (receipt(3), RECEIPTS, 409),
        (receipt(9), RECEIPTS, 422),
        (receipt(store="tempus"), RECEIPTS, 401),
        (receipt(state="erased"), RECEIPTS, 401),
        (b"[]", RECEIPTS, 401),
        (b"", RECEIPTS, 401),
        (receipt(), "/webhooks/stores/nobody/receipts", 404),
        (receipt(), "/webhooks/stores/registry/receipts", 404),
        (b" " * 4_000_001, RECEIPTS, 413),
    ],
    ids=["too-early", "never-told", "another-store", "unknown-state", "list", "empty", "unknown", "law", "too-large"],
)
def test_signed_receipts_that_cannot_be(portal: Portal, body: bytes, path: str, status: int) -> None:
    """SUB-08, abuse 12: each wrong receipt has its status, and none is kept."""
    told(portal)
    assert post_receipt(portal, body, path=path).status_code == status
    assert portal.rows("SELECT * FROM receipt") == []


def test_forged_receipts(portal: Portal) -> None:
    """SUB-08, abuse 12: unsigned, another secret, another body, an old time: 401 and nothing is kept."""
    told(portal)
    body = receipt()
    true = sign([STORE_SECRET], "late_cancerlinq_1_1", body, now())
    forged = [
        {},
        sign(["whsec_b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXI="], "late_cancerlinq_1_1", body, now()),
        true | {"webhook-id": "late_cancerlinq_1_2"},
        true | {"webhook-timestamp": "1700000000"},
        true | {"webhook-timestamp": "soon"},
        true | {"webhook-signature": "v1,"},
        sign([STORE_SECRET], "late_cancerlinq_1_1", body + b" ", now()),
    ]
    answers = [post_receipt(portal, body, headers) for headers in forged]
    assert {one.status_code for one in answers} == {401}
    assert {one.content_type for one in answers} == {"application/problem+json"}
    assert portal.rows("SELECT * FROM receipt") == []
