"""A FHIR server that is not ours as a store: its own history of each Consent, after crashes and mischief."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from pytest_httpserver import HTTPServer
from sqlalchemy import text
from werkzeug import Request, Response

from consent.backfill.run import backfill
from consent.certify.between import Between
from consent.certify.native import certify_native
from consent.certify.native_cases import NATIVE
from consent.decision import Answer
from consent.feed.run import note_stores
from consent.feed.sender import Step
from consent.receipts import State
from consent.reconcile.run import Run, reconcile
from consent.store_config import Kind, Store, Transport
from consent.stores import fhir_server
from consent.stores.adapter import Batch, NotDelivered
from consent.stores.backend_services import public_keys
from consent.stores.fhir_resources import VERSION
from consent.stores.fhir_server import FhirStore
from database.context import as_propagation
from database.keyring import KeyRing
from outbound.breaker import Breaker
from outbound.client import OutboundClient, OutboundResponse
from outbound.destinations import AllowList, destination
from outbound.limits import Limits
from tests.parts.consent.conftest import World
from tests.parts.consent.people import person
from tests.parts.consent.receiver import Clock
from tests.pure.consent.stores import TEMPUS
from tests.support.native_stores import (
    SilentServer,
    ThirdPartyFhir,
    event,
    kill_between_store_and_settle,
    third_party_fhir,
)

MOST = 40  # Medplum takes 50 updates in one transaction


def store_at(endpoint: str, **more: Any) -> Store:
    return replace(
        TEMPUS, kind=Kind.FHIR, transport=Transport.NATIVE, endpoint=endpoint, secrets=(), max_entries=MOST, **more
    )


@pytest.fixture
def server() -> Iterator[ThirdPartyFhir]:
    with third_party_fhir() as running:
        yield running


@pytest.fixture
def connect(keyring: KeyRing) -> Iterator[Callable[[Store], FhirStore]]:
    """The adapter of a store, with everything it needs."""
    clients: list[OutboundClient] = []

    def made(store: Store) -> FhirStore:
        allowed = AllowList([destination(each, private=True) for each in store.addresses])
        clients.append(OutboundClient(allowed, breaker=Breaker(threshold=1_000_000)))
        return FhirStore(store, clients[-1], Clock(), keyring)

    yield made
    for client in clients:
        client.close()


def certified(store: FhirStore, only: str = "") -> dict[str, str]:
    """Each case that failed, with its reason; of all cases, or of one."""

    def overtaken(meanwhile: Callable[[], None]) -> FhirStore:
        return FhirStore(store.store, Between(store._http, meanwhile), Clock())

    cases = [case for case in NATIVE[Kind.FHIR] if only in ("", case.id)]
    outcomes = list(certify_native(store, lambda: datetime.now(UTC), "run", cases, overtaken=overtaken))
    assert [each.case.id for each in outcomes] == [case.id for case in cases]
    return {each.case.id: each.reason for each in outcomes if each.reason is not None}


def versions(history: list[dict[str, Any]]) -> list[int]:
    """Our version in each version of theirs."""
    return [each["valuePositiveInt"] for one in history for each in one["extension"] if each["url"] == VERSION]


def types(history: list[dict[str, Any]]) -> list[str]:
    return [one["provision"]["provision"][0]["type"] for one in history]


def test_decisions_become_the_server_s_own_history(world: World, server: ThirdPartyFhir) -> None:
    """CON-08, CON-12, SUB-08: one Consent per person, a version of it per decision, valid R4, with its Provenance."""
    world.stores["tempus"] = store_at(server.fhir)
    note_stores(world.database.worker, [world.stores["tempus"]], world.clock())
    people = [person(world.database, number) for number in range(30)]
    for who in people:
        world.press(who)
    for answer in (Answer.YES, Answer.NO):
        world.press(people[0], answer=answer)
    assert Step.SENT in world.drain("tempus")
    found = server.histories()
    assert len(found) == 30
    assert (versions(found["MRN-0"]), types(found["MRN-0"])) == ([1, 2, 3], ["deny", "permit", "deny"])
    assert versions(found["MRN-29"]) == [1]
    assert server.provenances() == 32
    with world.database.worker.begin(as_propagation()) as session:
        row = session.execute(text("SELECT state, signature, detail FROM receipt")).one()
    assert row.state == "applied"
    assert row.signature.startswith('unsigned: Consent W/"')
    assert row.detail["each"]["reason"] == "not signed by the store"
    _filled_again(world)
    assert versions(server.histories()["MRN-0"]) == [1, 2, 3, 3]


def _filled_again(world: World) -> None:
    """A backfill tells the newest of each person again, which is a version of its own there, and agrees after."""
    adapter = FhirStore(world.stores["tempus"], world.http(), world.clock, world.database.keyring)
    done = backfill(world.database.worker, world.database.keyring, adapter, world.clock)
    assert (done.is_done, done.only_no, done.told) == (True, False, 30)
    assert reconcile(world.database.worker, adapter, world.clock).outcome == "agrees"


def test_told_twice_or_late_makes_no_version(server: ThirdPartyFhir, connect: Callable[[Store], FhirStore]) -> None:
    """SUB-07, SUB-09: a batch again, and an older decision late, leave the server's history as it was; and so does
    every case of its certification."""
    store = connect(store_at(server.fhir))
    batch = Batch("m-1", [event(1, 1), event(2, 1, who=2), event(3, 2, Answer.YES)])
    first = store.deliver(batch)
    again = store.deliver(batch)
    late = store.deliver(Batch("m-0", [event(1, 1)]))
    assert versions(server.histories()["MRN-1"]) == [1, 2]
    assert [(r.event, r.version) for r in first.receipts] == [(1, 1), (2, 1), (3, 2)]
    assert [(r.event, r.version) for r in again.receipts] == [(1, 2), (2, 1), (3, 2)]
    assert [(r.version, r.state) for r in late.receipts] == [(2, State.APPLIED)]
    assert store.is_well()
    assert certified(store) == {}


def test_killed_before_settling_ends_the_same(world: World, server: ThirdPartyFhir, tmp_path: Path) -> None:
    """SUB-07, I2: kill -9 between the server's answer and our commit: no version is doubled."""
    store = world.stores["tempus"] = store_at(server.fhir)
    note_stores(world.database.worker, [store], world.clock())
    for number in range(5):
        world.press(person(world.database, number))
    while world.sequence():
        pass
    kill_between_store_and_settle(store, world.database.urls.worker, world.database.keyring, tmp_path)
    before = server.histories()
    assert len(before) == 5
    world.drain("tempus")
    assert server.histories() == before


def test_it_signs_in_as_a_program(keyring: KeyRing, connect: Callable[[Store], FhirStore], tmp_path: Path) -> None:
    """SMART-42 (Backend Services): private_key_jwt with ES384, checked by somebody else's token endpoint."""
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps({"keys": public_keys(keyring)}))
    assert all("d" not in key for key in public_keys(keyring))
    with third_party_fhir(keys) as server:
        store = connect(store_at(server.fhir, client_id="portal", token_url=server.token))
        assert store.deliver(Batch("m-1", [event(1, 1)])).receipts[0].version == 1
        stranger = connect(store_at(server.fhir, client_id="nobody", token_url=server.token))
        with pytest.raises(NotDelivered, match="token-status-401"):
            stranger.deliver(Batch("m-2", [event(2, 2)]))
        with pytest.raises(NotDelivered, match="status-401-login"):
            connect(store_at(server.fhir)).deliver(Batch("m-2", [event(2, 2)]))
        assert versions(server.histories()["MRN-1"]) == [1]


def bundle(kind: str, entries: list[Any]) -> bytes:
    return json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}).encode()


NOTHING_FOUND = json.dumps({"resourceType": "Bundle", "type": "searchset", "total": 0})
GONE = {"response": {"status": "404"}}
DONE = {"response": {"status": "201", "etag": 'W/"1"'}}
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "invalid"}]}
LIES: list[tuple[str, list[Any] | bytes, list[Any] | bytes]] = [
    ("not-a-response-bundle", b"<html>all is well</html>", b""),
    ("not-a-response-bundle", b'{"resourceType": "OperationOutcome"}', b""),
    ("answers-other-entries", [], b""),
    ("entry-without-response", [{}], b""),
    ("read-500", [{"response": {"status": "500"}}], b""),
    ("read-200", [{"response": {"status": "200"}}], b""),
    ("answers-other-entries", [GONE], [DONE]),
    ("entry-400-invalid", [GONE], [{"response": {"status": "400 Bad Request", "outcome": OUTCOME}}, DONE]),
    ("entry-412", [GONE], [DONE, {"response": {"status": "412"}}]),
    ("entry-unknown", [GONE], [DONE, {"response": {}}]),
    ("no-version", [GONE], [{"response": {"status": "200"}}, DONE]),
    ("no-version", [GONE], [{"response": {"status": "200", "etag": 'W/"' + "9" * 99 + '"'}}, DONE]),
]


@pytest.mark.parametrize(("says", "read", "written"), LIES)
def test_an_answer_that_proves_nothing_is_not_believed(
    says: str, read: list[Any] | bytes, written: list[Any] | bytes, connect: Callable[[Store], FhirStore]
) -> None:
    """SUB-08: 200 with an error body, with other entries, without versions: no receipt, and the store spoke; its
    certification fails and names why."""

    def answer(request: Request) -> Response:
        if request.method == "GET":
            return Response(NOTHING_FOUND, content_type="application/fhir+json")
        asked = json.loads(request.get_data())["type"]
        given = read if asked == "batch" else written
        body = bundle(f"{asked}-response", given) if isinstance(given, list) else given
        return Response(body, content_type="application/fhir+json")

    with HTTPServer(host="127.0.0.1") as liar:
        liar.expect_request(re.compile("/fhir.*")).respond_with_handler(answer)
        store = connect(store_at(liar.url_for("/fhir")))
        with pytest.raises(NotDelivered) as error:
            store.deliver(Batch("m-1", [event(1, 1)]))
        assert certified(store, "no") == {"no": f"not taken: {says}"}
    assert error.value.reason == says
    assert error.value.answered


def _no_if_match(http: OutboundClient) -> OutboundClient:
    """As to a server that passes over `ifMatch`."""

    class Deaf(Between):
        def request(self, method: str, url: str, **more: Any) -> OutboundResponse:
            if more.get("body"):
                more["body"] = re.sub(rb',"ifMatch":"(?:[^"\\]|\\.)*"', b"", more["body"])
            return http.request(method, url, **more)

    return Deaf(http, lambda: None)


def test_servers_that_keep_something_else_fail(server: ThirdPartyFhir, connect: Callable[[Store], FhirStore]) -> None:
    """CON-09, SUB-08: one that says "done" and keeps nothing, one that says everything twice, one that lets itself be
    overtaken: each fails the case that shows it."""
    deaf = connect(store_at(server.fhir))
    deaf._http = _no_if_match(deaf._http)
    assert certified(deaf).keys() == {"overtaken", "overtaken-no"}

    def answer(request: Request) -> Response:
        if request.method == "GET":
            twice = [{"resource": kept[-1]}] * 2 if kept and "identifier" in request.args else []
            body = {"resourceType": "Bundle", "type": "searchset", "total": len(twice) or 0, "entry": twice}
            return Response(json.dumps(body), content_type="application/fhir+json")
        sent = json.loads(request.get_data())
        if sent["type"] == "transaction" and doubles:
            kept.append(sent["entry"][0]["resource"])
        answers = [GONE if sent["type"] == "batch" else DONE for _ in sent["entry"]]
        return Response(bundle(f"{sent['type']}-response", answers), content_type="application/fhir+json")

    for doubles in (False, True):
        kept: list[Any] = []
        with HTTPServer(host="127.0.0.1") as liar:
            liar.expect_request(re.compile("/fhir.*")).respond_with_handler(answer)
            wrong = certified(connect(store_at(liar.url_for("/fhir"))), "no")
        assert wrong.keys() == (set() if doubles else {"no"}), "twice the same is the same"


def test_one_decision_it_will_not_take_is_parked_alone(world: World, server: ThirdPartyFhir) -> None:
    """SUB-07: the server's validation refuses one Consent; the others are told, and its code is what we keep."""
    store = world.stores["tempus"] = store_at(server.fhir)
    note_stores(world.database.worker, [store], world.clock())
    for number in ("1", "2", "\u0007", "4"):  # a control character, which R4 forbids in text
        world.press(person(world.database, number))
    assert Step.PARKED in world.drain("tempus")
    assert sorted(server.histories()) == ["MRN-1", "MRN-2", "MRN-4"]
    with world.database.worker.begin(as_propagation()) as session:
        assert [*session.execute(text("SELECT event_number, reason FROM parked_item"))] == [(3, "status-422-invariant")]


def test_down_slow_redirecting_and_huge(connect: Callable[[Store], FhirStore], monkeypatch: pytest.MonkeyPatch) -> None:
    """SEC-05, SEC-10: each costs this store its turn and no more."""
    monkeypatch.setattr(fhir_server, "LIMITS", Limits(0.3, 0.3, 0.5, 100_000))
    silent = SilentServer()
    slow = connect(store_at(f"http://127.0.0.1:{silent.port}/fhir"))
    with pytest.raises(NotDelivered, match="timeout") as error:
        slow.deliver(Batch("m-1", [event(1, 1)]))
    assert not error.value.answered
    silent.close()
    assert not slow.is_well()
    with HTTPServer(host="127.0.0.1") as odd:
        odd.expect_ordered_request("/fhir").respond_with_data("", 302, {"location": "http://127.0.0.1:1/x"})
        odd.expect_ordered_request("/fhir").respond_with_data(b"x" * 200_000)
        odd.expect_ordered_request("/fhir").respond_with_data(b"", 503, {"retry-after": "120"})
        store = connect(store_at(odd.url_for("/fhir")))
        with pytest.raises(NotDelivered, match="status-302"):
            store.deliver(Batch("m-1", [event(1, 1)]))
        with pytest.raises(NotDelivered, match="size"):
            store.deliver(Batch("m-1", [event(1, 1)]))
        with pytest.raises(NotDelivered, match="status-503") as busy:
            store.deliver(Batch("m-1", [event(1, 1)]))
    assert busy.value.retry_after_seconds == 120


def test_a_fhir_server_is_compared_by_counting(
    world: World, server: ThirdPartyFhir, connect: Callable[[Store], FhirStore]
) -> None:
    """SUB-08: Consents deleted, or edited by somebody else, are found by counts of runs, and told again."""
    store = world.stores["tempus"] = store_at(server.fhir)
    note_stores(world.database.worker, [store], world.clock())
    people = [person(world.database, number) for number in range(6)]
    for who in people:
        world.press(who)
    world.press(people[5], answer=Answer.YES)
    world.drain("tempus")
    adapter = connect(store)

    def run() -> Run:
        return reconcile(world.database.worker, adapter, world.clock)

    first = run()
    assert (first.outcome, first.counted, first.theirs, first.fetched) == ("agrees", 6, 6, 0)
    kept = {value: history[-1] for value, history in server.histories().items()}
    requests.delete(f"{server.fhir}/Consent/{kept['MRN-1']['id']}", timeout=10).raise_for_status()
    opened = json.loads(json.dumps(kept["MRN-2"]).replace('"deny"', '"permit"').replace("-no", "-yes"))
    requests.put(f"{server.fhir}/Consent/{opened['id']}", json=opened, timeout=10).raise_for_status()
    requests.delete(f"{server.fhir}/Consent/{kept['MRN-5']['id']}", timeout=10).raise_for_status()
    found = run()
    assert (found.outcome, found.repaired, found.to_people, found.fetched) == ("drift", 2, 1, 256)
    world.drain("tempus")
    assert types(server.histories()["MRN-2"])[-1] == "deny"
    again = run()
    assert (again.repaired, again.to_people) == (0, 1)
