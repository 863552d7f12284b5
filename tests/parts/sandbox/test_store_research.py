"""Sandbox stores beyond the platform: research efforts, curators, Discovery, and misbehaviour on demand."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from pytest_httpserver import HTTPServer
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from sandbox.store.config import MRN_SYSTEMS, StoreConfig, StoreConfigError, config_from
from sandbox.store.hospital_feed import FedPerson
from sandbox.store.server import RunningStore, start

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
RIVERSIDE = MRN_SYSTEMS["riverside"]
TOKEN = "shared-with-the-platform"

Starter = Callable[..., RunningStore]


def people() -> list[FedPerson]:
    resources = ({"resourceType": "Condition"}, {"resourceType": "Observation"})
    return [FedPerson("riverside", RIVERSIDE, f"M{n}", f"Person {n}", resources) for n in range(12)]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Starter]:
    running: list[RunningStore] = []

    def one(role: str, **more: Any) -> RunningStore:
        values = {
            "id": role,
            "name": role,
            "role": role,
            "secrets": (SECRET,),
            "state_dir": tmp_path / f"{role}{len(running)}",
        }
        started = start(StoreConfig(**{**values, **more}), people)
        running.append(started)
        return started

    yield one
    for store in reversed(running):
        store.stop()


def post(url: str, body: bytes, headers: dict[str, str], message_id: str | None = None) -> requests.Response:
    message_id = message_id or f"msg_{time.monotonic_ns()}"
    now = datetime.now(tz=UTC)
    signature = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(message_id, now, body.decode()),
    }
    return requests.post(url, data=body, headers={**headers, **signature}, timeout=10, allow_redirects=False)


def decide(
    store: RunningStore, version: int, answer: str, value: str, choice: str = "donation", **more: Any
) -> dict[str, Any]:
    line = {
        "event": 100 + version, "subject": {"system": RIVERSIDE, "value": value}, "version": version, "choice": choice,
        "effort": more.get("effort", store.config.effort), "answer": answer, "categories": ["general"], "recorded": "",
    }  # fmt: skip
    answer_ = post(store.endpoint, json.dumps(line).encode(), {"content-type": "application/x-ndjson"})
    assert answer_.status_code == 200
    receipt: dict[str, Any] = answer_.json()["receipts"][0]
    return receipt


def donate(
    store: RunningStore,
    subject: str,
    version: int,
    manifest: str,
    lines: list[dict[str, Any]],
    message_id: str | None = None,
) -> dict[str, Any]:
    headers = {
        "content-type": "application/fhir+ndjson", "portal-subject": subject, "portal-version": str(version),
        "portal-manifest": manifest,
    }  # fmt: skip
    answer = post(store.donations, "\n".join(map(json.dumps, lines)).encode(), headers, message_id)
    assert answer.status_code == 200
    Webhook(SECRET).verify(answer.content, dict(answer.headers))
    return dict(answer.json())


def contents(store: RunningStore) -> dict[str, Any]:
    return dict(requests.get(f"{store.url}/contents", timeout=10).json())


def entries(store: RunningStore) -> dict[str, int]:
    return {person["value"]: person["entries"] for person in contents(store)["people"]}


CONDITION = {"resourceType": "Condition", "code": {"text": "x"}}


def test_donation_arrives_and_a_no_removes_it(begin: Starter) -> None:
    """HIP-13: a donation is held under its code; after a no nothing of it is held, and nothing more is taken."""
    store = begin("effort", effort="early-signs")
    assert decide(store, 3, "yes", "code-1")["state"] == "applied"
    patient = {"resourceType": "Patient", "name": [{"given": ["Ana"], "family": "Ruiz"}]}
    answer = donate(store, "code-1", 3, "m1", [patient, CONDITION])
    assert (answer["received"], answer["state"], answer["manifest"]) == (2, "applied", "m1")
    assert entries(store) == {"code-1": 2}
    assert "Ana Ruiz" in requests.get(store.url, timeout=10).text
    receipt = decide(store, 4, "no", "code-1")
    assert (receipt["state"], receipt["removed"], receipt["stopped"]) == ("applied", 2, True)
    assert entries(store) == {}
    late = donate(store, "code-1", 3, "m2", [CONDITION])
    assert (late["received"], late["state"], late["reason"]) == (0, "refused", "withdrawn")
    assert entries(store) == {}
    assert decide(store, 5, "yes", "code-1")["state"] == "applied"
    assert donate(store, "code-1", 5, "m3", [CONDITION])["received"] == 1


def test_donation_before_its_decision_is_taken_and_an_older_one_is_not(begin: Starter) -> None:
    """SUB-09: data and decisions travel apart; the version tells which is newer."""
    store = begin("effort", effort="early-signs")
    assert donate(store, "code-1", 7, "m7", [CONDITION])["received"] == 1
    assert donate(store, "code-1", 6, "m6", [CONDITION])["reason"] == "older-than-held"
    assert decide(store, 7, "yes", "code-1")["state"] == "applied"
    assert entries(store) == {"code-1": 1}


def test_same_delivery_twice_is_held_once_and_a_new_manifest_replaces(begin: Starter) -> None:
    """SUB-07: at least once on the wire is exactly once in the store."""
    store = begin("effort", effort="early-signs")
    first = donate(store, "code-1", 1, "m1", [CONDITION], "msg_same")
    assert donate(store, "code-1", 1, "m1", [CONDITION], "msg_same") == first
    donate(store, "code-1", 1, "m1", [CONDITION, CONDITION])
    assert entries(store) == {"code-1": 3}
    donate(store, "code-1", 2, "m2", [CONDITION])
    assert entries(store) == {"code-1": 1}


@pytest.mark.parametrize(
    "line",
    [
        {"resourceType": "Patient", "birthDate": "1960-01-02"},
        {"resourceType": "Patient", "name": [{"given": ["Ana"], "family": "Ruiz"}]},
        {"resourceType": "Observation", "subject": {"telecom": [{"value": "1"}]}},
    ],
)
def test_effort_without_names_refuses_names(begin: Starter, line: dict[str, Any]) -> None:
    """REL-02: a de-identified effort checks for itself that nobody is named."""
    store = begin("effort", effort="living-well", holds="de-identified")
    assert donate(store, "code-1", 1, "m1", [CONDITION, line])["reason"] == "identity-found"
    assert entries(store) == {}


def test_effort_refuses_what_is_not_for_it(begin: Starter) -> None:
    """X-01: an effort is told of its own donations only."""
    store = begin("effort", effort="early-signs")
    assert decide(store, 1, "no", "code-1", choice="cancerlinq")["reason"] == "not-for-this-store"
    assert decide(store, 2, "yes", "code-1", effort="another")["reason"] == "not-for-this-store"
    headers = {"portal-subject": "code-1", "portal-version": "x", "portal-manifest": "m"}
    assert post(store.donations, b"{}", headers).json()["reason"] == "headers-missing"
    headers = {"portal-subject": "code-1", "portal-version": "1", "portal-manifest": "m"}
    assert post(store.donations, b"[1]", headers).json()["reason"] == "not-ndjson"


def test_curator_copies_from_the_platform_and_keeps_the_removed_out(begin: Starter) -> None:
    """SUB-08: a curator that was told keeps a person out even while the platform still sends them."""
    platform = begin("holder", feed_token=TOKEN)
    curator = begin("curator", feed_token=TOKEN, platform=platform.url)
    assert len(entries(curator)) == 12
    assert decide(curator, 1, "no", "M3", choice="cancerlinq", effort=None)["removed"] == 2
    report = requests.post(f"{curator.url}/feed", timeout=10).json()
    assert (report["taken"], report["suppressed"]) == (11, 1)
    assert requests.get(f"{platform.url}/people", timeout=10).status_code == 401


def test_discovery_answers_accepted_then_sends_a_signed_receipt(begin: Starter, httpserver: HTTPServer) -> None:
    """SUB-08: Discovery cannot change a count for one person; its next build leaves them out and then it says so."""
    platform = begin("holder", feed_token=TOKEN)
    httpserver.expect_request("/webhooks/stores/discovery/receipts").respond_with_data("", status=503)
    discovery = begin(
        "discovery", holds="de-identified", feed_token=TOKEN, platform=platform.url, portal=httpserver.url_for("")
    )
    wait_for(lambda: contents(discovery)["build"] is not None)
    assert contents(discovery)["build"]["people"] == 12
    receipt = decide(discovery, 1, "no", "M3", choice="cancerlinq", effort=None)
    assert (receipt["state"], receipt["stopped"]) == ("accepted", True)
    decide(platform, 1, "no", "M4", choice="cancerlinq", effort=None)
    built = requests.post(f"{discovery.url}/rebuild", timeout=10).json()
    assert (built["people"], built["excluded"], built["applied"]) == (10, 2, 1)
    assert built["counts"] == {"Condition": 0, "Observation": 0}
    wait_for(lambda: len(httpserver.log) > 0)
    httpserver.clear()
    httpserver.expect_request("/webhooks/stores/discovery/receipts", method="POST").respond_with_data("", status=204)
    wait_for(lambda: contents(discovery)["owed"] == 0)
    [(request, _)] = httpserver.log
    body = Webhook(SECRET).verify(request.get_data(), dict(request.headers))
    assert (body["store"], body["first"], body["last"]) == ("discovery", 101, 101)
    [late] = body["receipts"]
    assert (late["event"], late["version"], late["state"], late["reference"]) == (
        101,
        1,
        "applied",
        receipt["reference"],
    )
    page = requests.get(discovery.url, timeout=10).text
    assert '<strong id="excluded">2</strong>' in page
    assert "Person" not in page.replace("Person's code", "")


def wait_for(done: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def fault(store: RunningStore, **what: Any) -> None:
    assert requests.post(f"{store.url}/sandbox/faults", json=what, timeout=10).status_code == 200


def raw(store: RunningStore, value: str = "M1") -> requests.Response:
    line = {
        "event": 1, "subject": {"system": RIVERSIDE, "value": value}, "version": 1, "choice": "cancerlinq",
        "effort": None, "answer": "no", "categories": [], "recorded": "",
    }  # fmt: skip
    return post(store.endpoint, json.dumps(line).encode(), {"content-type": "application/x-ndjson"}, "msg_one")


@pytest.mark.parametrize("kind", ["down", "lie", "redirect", "gzip-bomb"])
def test_fault_that_does_nothing(begin: Starter, kind: str) -> None:
    """SUB-07: these faults change nothing in the store, so that the next try has its one effect."""
    store = begin("holder")
    fault(store, kind=kind, times=1)
    if kind == "gzip-bomb":
        assert len(raw(store).content) == 100_000_000
    else:
        answer = raw(store)
        assert answer.status_code == {"down": 503, "lie": 200, "redirect": 307}[kind]
        assert "webhook-signature" not in answer.headers
    assert contents(store)["effects"] == []
    assert raw(store).json()["receipts"][0]["state"] == "applied"
    assert len(contents(store)["effects"]) == 1


@pytest.mark.parametrize("kind", ["truncate", "wrong-type", "unsigned", "lost-answer"])
def test_fault_after_the_effect(begin: Starter, kind: str) -> None:
    """SUB-07: the effect is there and the answer is spoilt; the same message again has no second effect."""
    store = begin("holder")
    fault(store, kind=kind, times=1)
    spoilt = raw(store)
    genuine = spoilt.status_code == 200 and spoilt.headers["content-type"] == "application/json"
    if genuine:
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(spoilt.content, dict(spoilt.headers))
    assert raw(store).json()["receipts"][0]["removed"] == 2
    assert len(contents(store)["effects"]) == 1


def test_slow_and_refused_subject_and_clearing(begin: Starter) -> None:
    """SUB-07: one poisoned person can be refused while the others are served."""
    store = begin("holder")
    fault(store, kind="subject", subject="M1", state="ambiguous")
    assert raw(store).json()["receipts"][0]["state"] == "ambiguous"
    assert "subject M1" in requests.get(store.url, timeout=10).text
    fault(store, kind="none")
    fault(store, kind="slow", seconds=0.3, times=1)
    before = time.monotonic()
    assert decide(store, 1, "no", "M2", choice="cancerlinq", effort=None)["state"] == "applied"
    assert time.monotonic() - before >= 0.3
    assert requests.post(f"{store.url}/sandbox/faults", json={"kind": "sing"}, timeout=10).status_code == 422


EFFORT = {"id": "e", "name": "E", "role": "effort", "secrets": [SECRET], "effort": "e"}
WRONG: list[dict[str, Any]] = [
    {"id": "e"},
    {**EFFORT, "role": "spy"},
    {**EFFORT, "colour": "red"},
    {**EFFORT, "effort": None},
    {**EFFORT, "secrets": []},
    {**EFFORT, "secrets": [SECRET] * 3},
]


@pytest.mark.parametrize("values", WRONG)
def test_configuration_that_is_wrong_is_refused(tmp_path: Path, values: dict[str, Any]) -> None:
    """SEC-13: a store with a wrong or unknown setting does not start."""
    assert config_from(EFFORT, state_dir=tmp_path).role == "effort"
    with pytest.raises(StoreConfigError):
        config_from(values, state_dir=tmp_path)


def test_gzip_bomb_is_small_on_the_wire(begin: Starter) -> None:
    """SUB-07: the bomb is a small body that unpacks to 100 MB, so a receiver that trusts sizes is caught."""
    store = begin("holder")
    fault(store, kind="gzip-bomb")
    line = b"{}"
    now = datetime.now(tz=UTC)
    headers = {
        "webhook-id": "m",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("m", now, "{}"),
    }
    with requests.post(store.endpoint, data=line, headers=headers, stream=True, timeout=10) as answer:
        packed = answer.raw.read(decode_content=False)
    assert len(packed) < 200_000
    assert gzip.decompress(packed)[:4] == b"\0\0\0\0"
