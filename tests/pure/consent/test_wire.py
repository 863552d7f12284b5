"""What is sent, how it is signed, and which answers are believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from standardwebhooks.webhooks import Webhook

from consent.check_consent import check_consent
from consent.decision import CANCERLINQ, Answer, donation_to
from consent.receipts import Expected, NotBelieved, State, read_answer, read_late_receipts
from consent.wire import PROFILE, StoreEvent, bundle, message
from consent.wire_signature import is_genuine, sign
from sandbox.store.wire import read_events
from tests.pure.consent.decisions import decided
from tests.pure.consent.stores import CANCERLINQ_STORE, EARLY_SIGNS_STORE, OLD_SECRET, RIVERSIDE, SECRET, TEMPUS
from tests.support.testdata import testdata

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EVENTS = [
    StoreEvent(7, 70, RIVERSIDE, "MRN-1", CANCERLINQ, Answer.NO, decided(3)),
    StoreEvent(8, 75, RIVERSIDE, "MRN-2", CANCERLINQ, Answer.YES, decided(4, answer=Answer.YES)),
]


def test_backport_bundle() -> None:
    """SUB-03, SUB-04: history Bundle, exact parameter names, every entry with request and response, full resources."""
    kind, body = message(CANCERLINQ_STORE, EVENTS)
    made = orjson.loads(body)
    assert kind == "application/fhir+json"
    assert (made["resourceType"], made["type"]) == ("Bundle", "history")
    assert all("request" in entry and "response" in entry for entry in made["entry"])
    status = made["entry"][0]["resource"]
    assert status["meta"]["profile"] == [PROFILE]
    assert made["entry"][0]["request"]["url"].endswith("/$status")
    names = [parameter["name"] for parameter in status["parameter"]]
    assert names == [
        "subscription",
        "topic",
        "status",
        "type",
        "events-since-subscription-start",
        "notification-event",
        "notification-event",
    ]
    values = {p["name"]: next(iter(v for k, v in p.items() if k != "name")) for p in status["parameter"][:5]}
    assert (values["type"], values["status"]) == ("event-notification", "active")
    assert values["events-since-subscription-start"] == "8"
    for event, entry in zip(status["parameter"][5:], made["entry"][1:], strict=True):
        parts = {part["name"]: part for part in event["part"]}
        assert set(parts) == {"event-number", "timestamp", "focus"}
        assert parts["focus"]["valueReference"]["reference"] == entry["fullUrl"]
        assert check_consent(entry["resource"]) == []


@pytest.mark.parametrize("kind", ["handshake", "heartbeat"])
def test_silent_bundles_carry_no_event(kind: Any) -> None:
    """SUB-03: same shape, no events."""
    made = bundle(CANCERLINQ_STORE, [], kind, since_start=8)
    assert len(made["entry"]) == 1
    assert "notification-event" not in [p["name"] for p in made["entry"][0]["resource"]["parameter"]]


def test_a_stranger_reads_both_forms_alike() -> None:
    """Wire: the sandbox's own reader finds the same events in the Bundle and in the lines."""
    stopped = StoreEvent(9, 76, "urn:code", "c-1", donation_to("early-signs"), Answer.NO, decided(5))
    effort = donation_to("early-signs")
    all_parts = decided(6, effort, Answer.YES)
    given = StoreEvent(10, 77, "urn:code", "c-1", effort, Answer.YES, all_parts)
    events = [*EVENTS, stopped, given]
    as_bundle = read_events(*message(CANCERLINQ_STORE, events))
    as_lines = read_events(*message(TEMPUS, events))
    told = [(e.number, e.system, e.value, e.version, e.choice, e.effort, e.answer) for e in as_lines]
    assert told == [(e.number, e.system, e.value, e.version, e.choice, e.effort, e.answer) for e in as_bundle]
    assert told[2][4:] == ("donation", "early-signs", "no"), "an opt-out ends the donation fed by CancerLinQ"
    assert set(as_lines[3].categories) == set(as_bundle[3].categories) == {"general", "clinical", "therapy"}


def test_same_events_same_bytes() -> None:
    """SUB-07: a retry repeats the message exactly."""
    for store in (CANCERLINQ_STORE, TEMPUS):
        assert message(store, EVENTS) == message(store, EVENTS)


def test_published_vectors() -> None:
    """Standard Webhooks: the published vector is reproduced, and what must be rejected is."""
    document = orjson.loads(testdata("webhooks/standard-webhooks-vectors.json").read_bytes())
    for vector in document["vectors"]:
        now = datetime.fromtimestamp(int(vector["webhook-timestamp"]), tz=UTC)
        body = vector["payload"].encode()
        made = sign([vector["secret"]], vector["webhook-id"], body, now)
        assert made == {name: vector[name] for name in made}
        assert is_genuine([vector["secret"]], made, body, now + timedelta(seconds=299))
        for spoiled in (
            {k: v for k, v in made.items() if k != "webhook-id"},
            {k: v for k, v in made.items() if k != "webhook-timestamp"},
            {k: v for k, v in made.items() if k != "webhook-signature"},
            {**made, "webhook-signature": made["webhook-signature"].replace("v1,", "v2,")},
            {**made, "webhook-signature": "v1,%%%"},
            {**made, "webhook-timestamp": "soon"},
        ):
            assert not is_genuine([vector["secret"]], spoiled, body, now)
        assert not is_genuine([vector["secret"]], made, body + b" ", now)
        assert not is_genuine([vector["secret"]], made, body, now + timedelta(seconds=301))
        assert not is_genuine([vector["secret"]], made, body, now - timedelta(seconds=301))


def test_the_library_agrees_and_secrets_overlap() -> None:
    """Standard Webhooks: the reference library accepts ours; during a change of secret either one is enough."""
    body = b'{"a":1}'
    made = sign([SECRET, OLD_SECRET], "m-1", body, datetime.now(UTC))
    for secret in (SECRET, OLD_SECRET):
        assert Webhook(secret).verify(body, made) == {"a": 1}
    assert not is_genuine(["whsec_" + "Q0ND" * 8], made, body, datetime.now(UTC))


def answer(**changes: Any) -> dict[str, Any]:
    receipts = [
        {"event": 7, "version": 3, "state": "applied", "removed": 412, "stopped": True, "reference": "CLQ-1"},
        {"event": 8, "version": 4, "state": "accepted"},
    ]
    return {"store": "cancerlinq", "first": 7, "last": 8, "receipts": receipts, **changes}


def read(body: bytes, *, status: int = 200, secret: str = SECRET, message_id: str = "m-1", late: int = 0) -> Any:
    headers = sign([secret], message_id, body, NOW)
    told = Expected.of({7: 3, 8: 4})
    return read_answer(CANCERLINQ_STORE, "m-1", told, status, headers, body, NOW + timedelta(seconds=late))


def test_a_signed_answer_is_believed() -> None:
    """SUB-08: the receipts of exactly the events told, as signed."""
    first, second = read(orjson.dumps(answer()))
    assert (first.state, first.removed, first.reference) == (State.APPLIED, 412, "CLQ-1")
    assert (second.state, second.state.confirms) == (State.ACCEPTED, False)


_TWO = answer()["receipts"]


@pytest.mark.parametrize(
    ("body", "how", "reason"),
    [
        (orjson.dumps(answer()), {"status": 500}, "status-500"),
        (orjson.dumps(answer()), {"status": 302}, "status-302"),
        (orjson.dumps(answer()), {"status": 202}, "status-202"),
        (orjson.dumps(answer()), {"secret": OLD_SECRET}, "not-signed"),
        (orjson.dumps(answer()), {"message_id": "m-2"}, "not-signed"),
        (orjson.dumps(answer()), {"late": 301}, "not-signed"),
        (b"<html>fine</html>", {}, "not-json"),
        (b"[]", {}, "names-another-store"),
        (orjson.dumps(answer(store="tempus")), {}, "names-another-store"),
        (orjson.dumps(answer(receipts=None)), {}, "no-receipts"),
        (orjson.dumps(answer(receipts=_TWO[:1])), {}, "answers-other-events"),
        (orjson.dumps(answer(receipts=[*_TWO, _TWO[0]])), {}, "answers-other-events"),
        (orjson.dumps(answer(receipts=[{**_TWO[0], "event": 9}, _TWO[1]])), {}, "answers-other-events"),
        (orjson.dumps(answer(receipts=[{**_TWO[0], "version": 2}, _TWO[1]])), {}, "answers-older-version"),
        (orjson.dumps(answer(receipts=[{**_TWO[0], "state": "done"}, _TWO[1]])), {}, "unknown-state"),
        (orjson.dumps(answer(receipts=[{**_TWO[0], "removed": "all"}, _TWO[1]])), {}, "removed-is-not-a-count"),
        (orjson.dumps(answer(receipts=[{**_TWO[0], "event": True}, _TWO[1]])), {}, "event-is-not-a-count"),
        (orjson.dumps(answer(receipts=["applied", _TWO[1]])), {}, "receipt-is-not-an-object"),
    ],
)
def test_anything_else_counts_as_not_delivered(body: bytes, how: dict[str, Any], reason: str) -> None:
    """Wire, SUB-11: 4xx, 5xx, garbage, unsigned, replayed or lying answers move nothing."""
    with pytest.raises(NotBelieved) as error:
        read(body, **how)
    assert error.value.reason == reason


def test_text_from_a_store_is_short_and_printable_or_left_out() -> None:
    """Threats 28: nothing a store writes can carry control characters or pages of text to the patient."""
    receipts = [{**_TWO[0], "reference": "x" * 81, "keeps": "a\u202eb", "reason": 5}, _TWO[1]]
    first, _ = read(orjson.dumps(answer(receipts=receipts)))
    assert (first.reference, first.keeps, first.reason) == (None, None, None)


def test_late_receipts() -> None:
    """Wire (later receipts): signed by the store itself or refused."""
    body = orjson.dumps(answer())
    assert len(read_late_receipts(CANCERLINQ_STORE, sign([SECRET], "late-1", body, NOW), body, NOW)) == 2
    for store, secret in ((CANCERLINQ_STORE, OLD_SECRET), (EARLY_SIGNS_STORE, SECRET)):
        with pytest.raises(NotBelieved):
            read_late_receipts(store, sign([secret], "late-1", body, NOW), body, NOW)
