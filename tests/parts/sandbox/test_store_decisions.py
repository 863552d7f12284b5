"""A sandbox store over real HTTP: it obeys signed decisions, the highest version only, and keeps removed people out."""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from standardwebhooks.webhooks import Webhook

from sandbox.store.config import MRN_SYSTEMS, StoreConfig
from sandbox.store.hospital_feed import FedPerson
from sandbox.store.server import RunningStore, start

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()
RIVERSIDE = MRN_SYSTEMS["riverside"]


def people() -> list[FedPerson]:
    return [
        FedPerson(
            "riverside",
            RIVERSIDE,
            mrn,
            f"Person {mrn}",
            tuple({"resourceType": "Condition", "id": f"{mrn}-{n}"} for n in range(3)),
        )
        for mrn in ("A1", "A2", "A3")
    ]


def config(folder: Path, **changes: Any) -> StoreConfig:
    values: dict[str, Any] = {
        "id": "cancerlinq",
        "name": "Platform",
        "role": "holder",
        "secrets": (SECRET,),
        "state_dir": folder,
    }
    return StoreConfig(**{**values, **changes})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunningStore]:
    running = start(config(tmp_path), people)
    yield running
    running.stop()


def line(event: int, version: int, answer: str, value: str = "A1", **more: Any) -> dict[str, Any]:
    made = {
        "event": event, "position": 1000 + event, "subject": {"system": RIVERSIDE, "value": value}, "version": version,
        "choice": "cancerlinq", "effort": None, "answer": answer, "categories": [], "recorded": "2026-11-22T01:02:03Z",
    }  # fmt: skip
    return {**made, **more}


def signed(body: bytes, message_id: str, *, secret: str = SECRET, at: datetime | None = None) -> dict[str, str]:
    moment = at or datetime.now(tz=UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, moment, body.decode()),
    }


def tell(store: RunningStore, *lines: dict[str, Any], message_id: str | None = None) -> dict[str, Any]:
    body = "\n".join(json.dumps(one) for one in lines).encode()
    headers = signed(body, message_id or f"msg_{time.monotonic_ns()}")
    answer = requests.post(
        store.endpoint, data=body, headers={**headers, "content-type": "application/x-ndjson"}, timeout=10
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["webhook-id"] == headers["webhook-id"]
    Webhook(SECRET).verify(answer.content, dict(answer.headers))
    parsed: dict[str, Any] = answer.json()
    return parsed


def contents(store: RunningStore) -> dict[str, Any]:
    return dict(requests.get(f"{store.url}/contents", timeout=10).json())


def held(store: RunningStore) -> set[str]:
    return {person["value"] for person in contents(store)["people"]}


def test_opt_out_removes_everything_and_says_so(store: RunningStore) -> None:
    """SUB-08: the answer carries the version applied, how much was removed and what is kept."""
    assert held(store) == {"A1", "A2", "A3"}
    answer = tell(store, line(101, 3, "no"))
    assert (answer["store"], answer["first"], answer["last"]) == ("cancerlinq", 101, 101)
    [receipt] = answer["receipts"]
    assert {key: receipt[key] for key in ("event", "version", "state", "removed", "stopped", "keeps")} == {
        "event": 101, "version": 3, "state": "applied", "removed": 3, "stopped": True, "keeps": "suppression-key",
    }  # fmt: skip
    assert held(store) == {"A2", "A3"}
    told = json.dumps(contents(store))
    assert "A1" not in told
    assert "Person A1" not in told


def test_nightly_feed_does_not_bring_a_removed_person_back(store: RunningStore) -> None:
    """X-03: once out, the hospital's nightly feed is turned away, until the person lifts the opt-out."""
    tell(store, line(1, 1, "no"))
    report = requests.post(f"{store.url}/feed", timeout=10).json()
    assert report == {"taken": 2, "suppressed": 1, "entries": 6}
    assert "A1" not in held(store)
    [receipt] = tell(store, line(2, 2, "yes"))["receipts"]
    assert (receipt["state"], receipt["stopped"]) == ("applied", False)
    assert "A1" not in held(store)
    assert requests.post(f"{store.url}/feed", timeout=10).json()["taken"] == 3
    assert "A1" in held(store)


def test_every_order_of_arrival_ends_at_the_highest_version(tmp_path: Path) -> None:
    """SUB-09: out of order and doubled, the highest version stands and each version has one effect at most."""
    events = [line(1, 1, "no"), line(2, 2, "yes"), line(3, 3, "no"), line(3, 3, "no")]
    for number, order in enumerate(itertools.permutations(events)):
        running = start(config(tmp_path / str(number)), people)
        try:
            for event in order:
                tell(running, event)
            seen = contents(running)
            versions = [effect["version"] for effect in seen["effects"]]
            assert versions == sorted(set(versions))
            assert seen["effects"][-1]["answer"] == "no"
            assert seen["suppressed"] == 1
        finally:
            running.stop()


def test_stale_event_is_answered_with_what_is_held(store: RunningStore) -> None:
    """SUB-09: an older event is ignored with 200 and the receipt of the version held."""
    newer = tell(store, line(9, 5, "no"))["receipts"][0]
    older = tell(store, line(8, 4, "yes"))["receipts"][0]
    assert older == {**newer, "event": 8}
    assert "A1" not in held(store)


def test_same_message_again_gets_the_same_answer(store: RunningStore) -> None:
    """SUB-09: the id table is permanent, so a replay within the signature's window has no second effect."""
    first = tell(store, line(1, 1, "no"), line(2, 1, "no", "A2"), message_id="msg_same")
    again = tell(store, line(1, 1, "no"), line(2, 1, "no", "A2"), message_id="msg_same")
    assert again == first
    assert len(contents(store)["effects"]) == 2


def test_unknown_person_is_kept_out_and_unknown_system_is_not_found(store: RunningStore) -> None:
    """SUB-08: nothing held is a true answer; a way of naming people that the store lacks is not found."""
    unknown, foreign = tell(
        store, line(1, 1, "no", "Z9"), line(2, 1, "no", subject={"system": "urn:oid:9.9", "value": "A1"})
    )["receipts"]
    assert (unknown["state"], unknown["removed"], unknown["stopped"]) == ("nothing-held", 0, True)
    assert foreign["state"] == "not_found"
    assert held(store) == {"A1", "A2", "A3"}


FORGERIES: dict[str, Callable[[bytes], dict[str, str]]] = {
    "no headers": lambda body: {},
    "another secret": lambda body: signed(body, "m1", secret=OTHER),
    "another body": lambda body: signed(body + b" ", "m1"),
    "too old": lambda body: signed(body, "m1", at=datetime.now(tz=UTC) - timedelta(minutes=6)),
    "too new": lambda body: signed(body, "m1", at=datetime.now(tz=UTC) + timedelta(minutes=6)),
    "another id": lambda body: {**signed(body, "m1"), "webhook-id": "m2"},
    "no id": lambda body: {k: v for k, v in signed(body, "m1").items() if k != "webhook-id"},
    "no timestamp": lambda body: {k: v for k, v in signed(body, "m1").items() if k != "webhook-timestamp"},
    "garbage signature": lambda body: {**signed(body, "m1"), "webhook-signature": "garbage"},
    "not base64": lambda body: {**signed(body, "m1"), "webhook-signature": "v1,*"},
    "another scheme": lambda body: {
        **signed(body, "m1"), "webhook-signature": signed(body, "m1")["webhook-signature"].replace("v1,", "v1a,")
    },
    "timestamp not a number": lambda body: {**signed(body, "m1"), "webhook-timestamp": "soon"},
}  # fmt: skip


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_notification_changes_nothing(store: RunningStore, forgery: str) -> None:
    """SUB-11: missing, forged or stale signatures get 401 and no change of state."""
    before = contents(store)
    body = json.dumps(line(1, 1, "no")).encode()
    for path in ("notifications", "donations", "holdings"):
        headers = {**FORGERIES[forgery](body), "content-type": "application/x-ndjson"}
        answer = requests.post(f"{store.url}/{path}", data=body, headers=headers, timeout=10)
        assert answer.status_code == 401
        assert "webhook-signature" not in answer.headers
    assert contents(store) == before


def test_body_that_is_not_text_is_refused(store: RunningStore) -> None:
    """SUB-11: bytes that are no UTF-8 are a refusal, not a fault of the store."""
    headers = signed(b"x", "m1")
    assert requests.post(store.endpoint, data=b"\xff\xfe", headers=headers, timeout=10).status_code == 401


def test_two_secrets_overlap(tmp_path: Path) -> None:
    """SUB-11: while a secret changes, either of the two is taken, and the answer is signed with both."""
    running = start(config(tmp_path, secrets=(OTHER, SECRET)), people)
    try:
        tell(running, line(1, 1, "no"))
        body = json.dumps(line(2, 1, "no", "A2")).encode()
        headers = {**signed(body, "m2", secret=OTHER), "content-type": "application/x-ndjson"}
        answer = requests.post(running.endpoint, data=body, headers=headers, timeout=10)
        Webhook(OTHER).verify(answer.content, dict(answer.headers))
    finally:
        running.stop()


def test_registry_is_never_told_and_refuses_if_it_were(tmp_path: Path) -> None:
    """X-06: an opt-out never reaches the state's report; were one sent, the registry would refuse it in words."""
    running = start(config(tmp_path, id="registry", role="registry"), people)
    try:
        assert '<strong id="told-count">0</strong>' in requests.get(running.url, timeout=10).text
        [receipt] = tell(running, line(1, 1, "no"))["receipts"]
        assert (receipt["state"], receipt["reason"]) == ("refused", "required-by-law")
        assert held(running) == {"A1", "A2", "A3"}
    finally:
        running.stop()


def test_state_survives_a_restart(tmp_path: Path) -> None:
    """SUB-07: what a store has confirmed is there after it starts again, and its first filling is not repeated."""
    running = start(config(tmp_path), people)
    tell(running, line(1, 2, "no"))
    before = contents(running)
    running.stop()
    running = start(config(tmp_path), people)
    try:
        assert contents(running) == before
        assert requests.post(f"{running.url}/feed", timeout=10).json()["suppressed"] == 1
    finally:
        running.stop()


def test_page_says_sandbox_and_what_happened(store: RunningStore) -> None:
    """X-03: the page shows what the store holds, was told and did, and that it is a sandbox."""
    tell(store, line(77, 4, "no"))
    page = requests.get(store.url, timeout=10).text
    for words in ("Sandbox.", "Person A2", "Removed 3 entries", "77", '<html lang="en">'):
        assert words in page
    assert "Person A1" not in page
